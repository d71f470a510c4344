//! Finds names that come more than once among many, in little memory.

use std::collections::HashSet;

use crate::index::word_lists::{hash_of, seeds};

/// How many groups of bits there are: 4 MB of them.
const GROUPS: usize = 1 << 19;

/// Names that were seen, as a Bloom filter, and those that were seen before.
#[derive(Debug)]
pub struct RepeatedNames {
    groups: Vec<u64>,
    found: HashSet<String>,
    seeds: [u64; 2],
    /// Hashes of names that are taken, and whether they were seen: filled anew, and not allocated.
    taken: Vec<(u64, bool)>,
}

impl Default for RepeatedNames {
    fn default() -> Self {
        RepeatedNames {
            groups: vec![0; GROUPS],
            found: HashSet::new(),
            seeds: seeds(),
            taken: Vec::new(),
        }
    }
}

impl RepeatedNames {
    /// Takes names.
    pub fn add<'n>(&mut self, names: impl Iterator<Item = &'n str> + Clone) {
        // The processor waits for memory at each name: it does so for many at once.
        let mut taken = std::mem::take(&mut self.taken);
        taken.clear();
        let hashes = names
            .clone()
            .map(|name| hash_of(name.as_bytes(), self.seeds));
        taken.extend(hashes.map(|hash| (hash, false)));
        for (hash, seen) in &mut taken {
            *seen = self.has(*hash);
        }
        for (name, &(hash, seen)) in names.zip(&taken) {
            // A name may come twice among these.
            if seen || self.has(hash) {
                if !self.found.contains(name) {
                    self.found.insert(name.to_owned());
                }
            } else {
                let (group, bits) = place_of(hash);
                self.groups[group] |= bits;
            }
        }
        self.taken = taken;
    }

    fn has(&self, hash: u64) -> bool {
        let (group, bits) = place_of(hash);
        self.groups[group] & bits == bits
    }

    /// Returns the names that came more than once, and a few others: of 1.5 million names, one in 150.
    pub fn found(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(String::as_str)
    }
}

/// Returns the group of a name, and its bits there.
fn place_of(hash: u64) -> (usize, u64) {
    // Three bits that are not among those that choose the group.
    let bits = [32, 40, 48].map(|at| 1 << (hash >> at & 63));
    (hash as usize % GROUPS, bits[0] | bits[1] | bits[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_repeated_names_are_found_and_few_others() {
        let mut names = RepeatedNames::default();
        for number in (0..300_000).chain(100..200).chain(150..160) {
            names.add([&*format!("name_{number}")].into_iter());
        }
        names.add(["twice", "once", "twice"].into_iter());
        let found: HashSet<&str> = names.found().collect();
        for number in 100..200 {
            assert!(found.contains(&*format!("name_{number}")));
        }
        assert!(found.contains("twice"));
        assert!(found.len() < 1_100, "{}", found.len());
    }
}
