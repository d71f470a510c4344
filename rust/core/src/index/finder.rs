//! How the definitions of a file are found; `ck3.toml` explains the fields.

pub(crate) struct Finder {
    pub top: bool,
    pub not_names: &'static [&'static str],
    pub nested: &'static [Nested],
    pub chained: &'static [&'static str],
    pub declared: &'static [Declared],
    pub named: &'static str,
}

pub(crate) struct Nested {
    pub depth: usize,
    pub containers: &'static [&'static str],
    pub names: &'static [&'static str],
    pub prefixes: &'static [&'static str],
    pub not_names: &'static [&'static str],
    pub kind: &'static str,
    pub joined: bool,
    pub values: bool,
}

pub(crate) struct Declared {
    pub word: &'static str,
    pub kind: &'static str,
    pub depth: usize,
    pub list: bool,
}

impl Finder {
    /// Returns in how many blocks definitions can be, if they are not chained.
    pub fn depth(&self) -> usize {
        let nested = self.nested.iter().map(|nested| nested.depth);
        let declared = self.declared.iter().map(|declared| declared.depth);
        nested.chain(declared).max().unwrap_or(0)
    }
}

impl Nested {
    /// Whether a key in a block is the name of a definition.
    pub fn fits(&self, key: &[u8], container: &[u8]) -> bool {
        (self.containers.is_empty() || is_in(self.containers, container))
            && (self.names.is_empty() || is_in(self.names, key))
            && (self.prefixes.is_empty() || starts_with(key, self.prefixes))
            && !is_in(self.not_names, key)
    }
}

pub(crate) fn is_in(texts: &[&str], text: &[u8]) -> bool {
    texts.iter().any(|known| known.as_bytes() == text)
}

pub(crate) fn starts_with(text: &[u8], prefixes: &[&str]) -> bool {
    prefixes
        .iter()
        .any(|prefix| text.starts_with(prefix.as_bytes()))
}
