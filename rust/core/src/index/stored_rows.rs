//! Reads rows of `ck3/1` that a worker made.

use std::borrow::Cow;

use crate::chars::plain_run;

/// A definition.
#[derive(Debug, PartialEq, Eq)]
pub struct Definition<'j> {
    /// Its name.
    pub name: Cow<'j, str>,
    /// Its kind.
    pub kind: Cow<'j, str>,
    /// Its start and end in bytes, its line and its hash.
    pub numbers: [u64; 4],
    /// Its priority, if it has one.
    pub priority: Option<i64>,
}

/// The words of a file. It is filled anew for each file, and not allocated.
#[derive(Debug, Default)]
pub struct Words {
    text: Vec<u8>,
    /// The start and the end of each.
    places: Vec<(usize, usize)>,
}

impl Words {
    /// Returns each word.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let places = self.places.iter();
        places.map(|&(start, end)| &self.text[start..end])
    }
}

/// The rows of a file, as compact ASCII JSON. Reading them goes on where it ended.
#[derive(Debug)]
pub struct Rows<'j> {
    rest: &'j [u8],
    first: bool,
}

const CUT: &str = "rows of ck3/1 are in another form";

type Read<T> = Result<T, &'static str>;

impl<'j> Rows<'j> {
    /// Begins to read.
    ///
    /// # Errors
    ///
    /// As all methods: if the JSON has another form.
    pub fn new(json: &'j [u8]) -> Read<Self> {
        let mut rows = Rows {
            rest: json,
            first: true,
        };
        rows.expect(br#"{"definitions":["#)?;
        json.is_ascii().then_some(rows).ok_or(CUT)
    }

    /// Returns the next definition; after the last one, `None` once.
    pub fn definition(&mut self) -> Read<Option<Definition<'j>>> {
        if !self.more(br#"],"words":["#)? {
            return Ok(None);
        }
        self.expect(b"[")?;
        let name = self.string()?;
        self.expect(b",")?;
        let kind = self.string()?;
        let mut numbers = [0; 4];
        for number in &mut numbers {
            self.expect(b",")?;
            *number = self.number()?;
        }
        self.expect(b",")?;
        let priority = match self.rest.strip_prefix(b"null") {
            Some(rest) => {
                self.rest = rest;
                None
            }
            None => {
                let is_negative = self.skip(b"-");
                let number = i64::try_from(self.number()?).map_err(|_| CUT)?;
                Some(if is_negative { -number } else { number })
            }
        };
        self.expect(b"]")?;
        Ok(Some(Definition {
            name,
            kind,
            numbers,
            priority,
        }))
    }

    /// Reads all words, when there are no more definitions, with letters of ASCII in lower case.
    ///
    /// # Arguments
    ///
    /// * `words` - takes them in place of those that it has
    pub fn words_in_lower_case(&mut self, words: &mut Words) -> Read<()> {
        let Words { text, places } = words;
        text.clear();
        text.extend_from_slice(self.rest);
        places.clear();
        let length = self.rest.len();
        while self.more(b"]}")? {
            // Most are plain.
            if let [b'"', rest @ ..] = self.rest {
                let end = plain_run(rest, 0, b'"');
                if rest.get(end) == Some(&b'"') {
                    let start = length - rest.len();
                    places.push((start, start + end));
                    self.rest = &rest[end + 1..];
                    continue;
                }
            }
            let start = text.len();
            text.extend_from_slice(self.string()?.as_bytes());
            places.push((start, text.len()));
        }
        text.make_ascii_lowercase();
        self.rest.is_empty().then_some(()).ok_or(CUT)
    }

    /// Whether a list goes on.
    fn more(&mut self, end: &[u8]) -> Read<bool> {
        if self.skip(end) {
            self.first = true;
            return Ok(false);
        }
        if !std::mem::take(&mut self.first) {
            self.expect(b",")?;
        }
        Ok(true)
    }

    fn skip(&mut self, text: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, text: &[u8]) -> Read<()> {
        self.skip(text).then_some(()).ok_or(CUT)
    }

    fn number(&mut self) -> Read<u64> {
        let (mut number, mut length) = (0u64, 0);
        while let Some(digit @ b'0'..=b'9') = self.rest.get(length) {
            number = number.wrapping_mul(10).wrapping_add((digit - b'0').into());
            length += 1;
        }
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        match length {
            1..=18 => Ok(number),
            // SQLite has no larger ones than these.
            _ => str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse::<i64>().ok())
                .map(i64::cast_unsigned)
                .ok_or(CUT),
        }
    }

    fn string(&mut self) -> Read<Cow<'j, str>> {
        self.expect(b"\"")?;
        let mut end = plain_run(self.rest, 0, b'"');
        if !matches!(self.rest.get(end), Some(b'"' | b'\\')) {
            end += memchr::memchr2(b'"', b'\\', &self.rest[end..]).ok_or(CUT)?;
        }
        let (plain, rest) = self.rest.split_at(end);
        let plain = str::from_utf8(plain).map_err(|_| CUT)?;
        self.rest = &rest[usize::from(rest[0] == b'"')..];
        if rest[0] == b'"' {
            return Ok(plain.into());
        }
        let mut text = plain.to_owned();
        loop {
            let (&byte, rest) = self.rest.split_first().ok_or(CUT)?;
            self.rest = rest;
            match byte {
                b'"' => return Ok(text.into()),
                b'\\' => text.push(self.escaped()?),
                0..0x80 => text.push(byte.into()),
                _ => return Err(CUT),
            }
        }
    }

    fn escaped(&mut self) -> Read<char> {
        let (&byte, rest) = self.rest.split_first().ok_or(CUT)?;
        self.rest = rest;
        Ok(match byte {
            b'"' | b'\\' | b'/' => byte.into(),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                let units = match first {
                    0xd800..0xdc00 => {
                        self.expect(b"\\u")?;
                        vec![first, self.unit()?]
                    }
                    _ => vec![first],
                };
                char::decode_utf16(units)
                    .next()
                    .and_then(Result::ok)
                    .ok_or(CUT)?
            }
            _ => return Err(CUT),
        })
    }

    fn unit(&mut self) -> Read<u16> {
        let (digits, rest) = self.rest.split_first_chunk::<4>().ok_or(CUT)?;
        self.rest = rest;
        let digits = str::from_utf8(digits).map_err(|_| CUT)?;
        u16::from_str_radix(digits, 16).map_err(|_| CUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Read<(Vec<Definition<'_>>, Vec<String>)> {
        let mut rows = Rows::new(json.as_bytes())?;
        let (mut definitions, mut words) = (Vec::new(), Vec::new());
        while let Some(definition) = rows.definition()? {
            definitions.push(definition);
        }
        let mut read = Words::default();
        rows.words_in_lower_case(&mut read)?;
        words.extend(
            read.iter()
                .map(|word| str::from_utf8(word).unwrap().to_owned()),
        );
        Ok((definitions, words))
    }

    #[test]
    fn rows_are_read() {
        let json = concat!(
            r#"{"definitions":[["a\u00e9\"","trait",0,9,1,77,null],["b","event",10,20,2,78,-5]],"#,
            r#""words":["x","\ud83d\ude00","\\"]}"#
        );
        let (definitions, words) = read(json).unwrap();
        assert_eq!(definitions[0].name, "aé\"");
        assert_eq!(definitions[1].numbers, [10, 20, 2, 78]);
        assert_eq!(
            definitions
                .iter()
                .map(|each| each.priority)
                .collect::<Vec<_>>(),
            [None, Some(-5)]
        );
        assert_eq!(words, ["x", "😀", "\\"]);
        let (_, words) = read(r#"{"definitions":[],"words":["Ab","\u00c9\"C","dE"]}"#).unwrap();
        assert_eq!(words, ["ab", "É\"c", "de"]);
        let largest = r#"{"definitions":[["a","b",0,9,1,9223372036854775807,null]],"words":[]}"#;
        let (definitions, _) = read(largest).unwrap();
        assert_eq!(definitions[0].numbers[3], i64::MAX.cast_unsigned());
        assert!(read(r#"{"definitions":[],"words":[]}"#).is_ok());
    }

    #[test]
    fn what_is_cut_or_has_another_form_is_an_error() {
        let json = r#"{"definitions":[["a","trait",0,9,1,77,null]],"words":["x\u00e9"]}"#;
        for length in 0..json.len() {
            assert!(read(&json[..length]).is_err(), "{length}");
        }
        for json in [
            r#"{"definitions":[["a","trait",0,9,1,9223372036854775808,null]],"words":[]}"#,
            r#"{"definitions":[],"words":["\ud83d"]}"#,
            r#"{"definitions":[],"words":[]} "#,
            r#"{"definitions":[["a","trait",0,9,,77,null]],"words":[]}"#,
            r#"{"definitions":[],"words":["é"]}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
