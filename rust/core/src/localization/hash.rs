//! The hash by which the game finds a text.

/// Returns the MurmurHash3 of 32 bits of a key, with seed 0, as `key_hash` in
/// `src/ck3parse/localization/key_hash.py`.
pub fn key_hash(key: &[u8]) -> u32 {
    let (blocks, tail) = key.as_chunks::<4>();
    let mut value = 0_u32;
    for block in blocks {
        value ^= mixed(u32::from_le_bytes(*block));
        value = value
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    }
    let mut last = [0; 4];
    last[..tail.len()].copy_from_slice(tail);
    value ^= mixed(u32::from_le_bytes(last));
    value ^= key.len() as u32;
    value = (value ^ value >> 16).wrapping_mul(0x85eb_ca6b);
    value = (value ^ value >> 13).wrapping_mul(0xc2b2_ae35);
    value ^ value >> 16
}

fn mixed(block: u32) -> u32 {
    block
        .wrapping_mul(0xcc9e_2d51)
        .rotate_left(15)
        .wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::key_hash;

    #[test]
    fn known_hashes() {
        assert_eq!(key_hash(b""), 0);
        assert_eq!(key_hash(b"test"), 0xba6b_d213);
        assert_eq!(key_hash(b"hello"), 0x248b_fa47);
        assert_eq!(
            key_hash(b"The quick brown fox jumps over the lazy dog"),
            0x2e4f_f723
        );
    }
}
