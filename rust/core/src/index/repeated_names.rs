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
}

impl Default for RepeatedNames {
    fn default() -> Self {
        RepeatedNames {
            groups: vec![0; GROUPS],
            found: HashSet::new(),
            seeds: seeds(),
        }
    }
}

impl RepeatedNames {
    /// Takes a name.
    pub fn add(&mut self, name: &str) {
        let hash = hash_of(name.as_bytes(), self.seeds);
        let group = &mut self.groups[hash as usize % GROUPS];
        // Three bits that are not among those that choose the group.
        let bits = [32, 40, 48].map(|at| 1 << (hash >> at & 63));
        let bits = bits[0] | bits[1] | bits[2];
        if *group & bits == bits {
            if !self.found.contains(name) {
                self.found.insert(name.to_owned());
            }
        } else {
            *group |= bits;
        }
    }

    /// Returns the names that came more than once, and a few others: of 1.5 million names, one in 150.
    pub fn found(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_repeated_names_are_found_and_few_others() {
        let mut names = RepeatedNames::default();
        for number in (0..300_000).chain(100..200).chain(150..160) {
            names.add(&format!("name_{number}"));
        }
        let found: HashSet<&str> = names.found().collect();
        for number in 100..200 {
            assert!(found.contains(&*format!("name_{number}")));
        }
        assert!(found.len() < 1_100, "{}", found.len());
    }
}
