//! Counts the bytes at the start of a step of 16 that pass a test.
//!
//! This is the only module with `unsafe` code, which stable Rust needs for x86-64 vectors.

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use portable::{blank, name, plain};
#[cfg(target_arch = "x86_64")]
pub(crate) use vectors::{blank, name, plain};

/// The number of bytes of a step.
pub(crate) const STEP: usize = 16;

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod vectors {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi8, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_cmplt_epi8, _mm_movemask_epi8,
        _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };

    use super::STEP;

    #[inline(always)]
    pub fn blank(step: &[u8; STEP]) -> usize {
        // SAFETY: `blank_mask` needs only SSE2, which every x86-64 has.
        passed(unsafe { blank_mask(step) })
    }

    #[inline(always)]
    pub fn name(step: &[u8; STEP]) -> usize {
        // SAFETY: `name_mask` needs only SSE2, which every x86-64 has.
        passed(unsafe { name_mask(step) })
    }

    #[inline(always)]
    pub fn plain(step: &[u8; STEP], quote: u8) -> usize {
        // SAFETY: `stop_mask` needs only SSE2, which every x86-64 has.
        passed(unsafe { !stop_mask(step, quote) })
    }

    /// Counts the low bits that are set, at most those of a step.
    #[inline(always)]
    fn passed(mask: i32) -> usize {
        (!mask | 1 << STEP).trailing_zeros() as usize
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(step: &[u8; STEP]) -> __m128i {
        let bits = u128::from_le_bytes(*step);
        _mm_set_epi64x((bits >> 64) as i64, bits as i64)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn equal(bytes: __m128i, to: u8) -> __m128i {
        _mm_cmpeq_epi8(bytes, _mm_set1_epi8(to as i8))
    }

    /// Tests whether each byte is between two others, inclusive.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn between(bytes: __m128i, first: u8, last: u8) -> __m128i {
        // Comparisons are signed, so the range is moved to the lowest bytes.
        let moved = _mm_add_epi8(bytes, _mm_set1_epi8(0x80u8.wrapping_sub(first) as i8));
        _mm_cmplt_epi8(moved, _mm_set1_epi8((0x80 + (last - first) + 1) as i8))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn blank_mask(step: &[u8; STEP]) -> i32 {
        let bytes = load(step);
        let tab_or_cr = _mm_or_si128(equal(bytes, b'\t'), equal(bytes, b'\r'));
        _mm_movemask_epi8(_mm_or_si128(equal(bytes, b' '), tab_or_cr))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn name_mask(step: &[u8; STEP]) -> i32 {
        let bytes = load(step);
        let lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        let letters = between(lower, b'a', b'z');
        // `-`, `.`, `/`, the digits and `:`; then `%`, `&` and `'`.
        let digits = _mm_or_si128(between(bytes, b'-', b':'), between(bytes, b'%', b'\''));
        let others = _mm_or_si128(equal(bytes, b'_'), equal(bytes, b'|'));
        _mm_movemask_epi8(_mm_or_si128(letters, _mm_or_si128(digits, others)))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn stop_mask(step: &[u8; STEP], quote: u8) -> i32 {
        let bytes = load(step);
        // As signed bytes, those outside ASCII are below the space too.
        let control = _mm_cmpgt_epi8(_mm_set1_epi8(b' ' as i8), bytes);
        let quotes = _mm_or_si128(equal(bytes, b'"'), equal(bytes, quote));
        let others = _mm_or_si128(equal(bytes, b'\\'), equal(bytes, 0x7f));
        _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quotes, others)))
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    use super::STEP;

    #[inline(always)]
    pub fn blank(step: &[u8; STEP]) -> usize {
        passed(step, |byte| {
            (byte == b' ') | (byte == b'\t') | (byte == b'\r')
        })
    }

    #[inline(always)]
    pub fn name(step: &[u8; STEP]) -> usize {
        passed(step, |byte| {
            // `-`, `.`, `/`, the digits and `:`; then `%`, `&` and `'`.
            ((byte | 0x20).wrapping_sub(b'a') < 26)
                | (byte.wrapping_sub(b'-') <= b':' - b'-')
                | (byte.wrapping_sub(b'%') <= b'\'' - b'%')
                | (byte == b'_')
                | (byte == b'|')
        })
    }

    #[inline(always)]
    pub fn plain(step: &[u8; STEP], quote: u8) -> usize {
        passed(step, |byte| {
            (byte.wrapping_sub(b' ') < 0x7f - b' ')
                & (byte != b'"')
                & (byte != b'\\')
                & (byte != quote)
        })
    }

    /// Tests all bytes, which compiles to a few vector instructions.
    #[inline(always)]
    fn passed(step: &[u8; STEP], passes: impl Fn(u8) -> bool) -> usize {
        let mut stops = [0u8; STEP];
        for (stop, &byte) in stops.iter_mut().zip(step) {
            *stop = if passes(byte) { 0 } else { 0xff };
        }
        u128::from_le_bytes(stops).trailing_zeros() as usize / 8
    }
}

#[cfg(test)]
mod tests {
    use super::{STEP, blank, name, plain, portable};

    #[test]
    fn steps_are_the_same_on_every_machine() {
        for filler in [b' ', b'a'] {
            for byte in 0..=255 {
                for at in 0..STEP {
                    let mut step = [filler; STEP];
                    step[at] = byte;
                    assert_eq!(blank(&step), portable::blank(&step), "{byte:#x}");
                    assert_eq!(name(&step), portable::name(&step), "{byte:#x}");
                    for quote in [b'"', b'\''] {
                        let expected = portable::plain(&step, quote);
                        assert_eq!(plain(&step, quote), expected, "{byte:#x}");
                    }
                }
            }
        }
    }
}
