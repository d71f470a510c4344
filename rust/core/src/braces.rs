//! Where a broken text most likely lacks a brace or has one too many, told by its indentation.
//!
//! `ck3parse/parser/braces.py` is the same in Python, and tells how it is done.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::grammar_tables::TokenKind;
use crate::recovery_tokens::RecoveryTokens;

/// What to do about braces, by the indices of tokens.
#[derive(Default)]
pub(crate) struct Repairs {
    /// How many blocks to close before a token.
    pub closes: HashMap<usize, usize>,
    /// Closing braces to pass over.
    pub strays: HashSet<usize>,
    /// Tokens, each after an operator, that a brace should stand before.
    pub opens: HashSet<usize>,
}

/// A block that is open.
struct Block {
    opener: usize,
    indent: u32,
    /// Columns that its first line of its own is indented by.
    inner: Option<u32>,
    /// Whether its content is indented, or begins on the brace's line.
    shaped: bool,
    /// Whether a line was noted that starts like a key no deeper than it.
    keyed: bool,
    /// The token before which it, or one in it, may lack its brace.
    lacks: Option<usize>,
    /// The token that may be a brace too many in it.
    spare: Option<usize>,
}

impl Block {
    fn new(opener: usize, tokens: &RecoveryTokens) -> Self {
        let indent = tokens.list[opener].indent;
        let child = tokens.list[opener + 1];
        let own_line = child.kind != TokenKind::End && child.first;
        Block {
            opener,
            indent,
            inner: own_line.then_some(child.indent),
            shaped: child.kind != TokenKind::End && (!child.first || child.indent > indent),
            keyed: false,
            lacks: None,
            spare: None,
        }
    }
}

/// Returns what to do about the braces of a text.
pub(crate) fn repairs(tokens: &RecoveryTokens) -> Repairs {
    let mut braces = Braces {
        tokens,
        open: Vec::new(),
        spares: VecDeque::new(),
        found: Repairs::default(),
    };
    braces.run();
    braces.found
}

struct Braces<'a, 't> {
    tokens: &'a RecoveryTokens<'t>,
    open: Vec<Block>,
    /// Notes outside of all blocks.
    spares: VecDeque<usize>,
    found: Repairs,
}

impl Braces<'_, '_> {
    fn run(&mut self) {
        let tokens = self.tokens;
        let mut at = 0;
        while tokens.list[at].kind != TokenKind::End {
            if tokens.starts_line_of_key(at) {
                self.key_line(at);
            }
            match tokens.list[at].kind {
                TokenKind::At if tokens.list[at + 1].kind == TokenKind::OpenBracket => {
                    at = tokens.inline_end(at).0;
                    continue;
                }
                TokenKind::OpenBrace => self.open.push(Block::new(at, tokens)),
                TokenKind::CloseBrace => self.close(at),
                _ if self.lacks_opener(at) => self.note_spare(at + 1),
                _ => {}
            }
            at += 1;
        }
        for block in &self.open {
            *self
                .found
                .closes
                .entry(block.lacks.unwrap_or(at))
                .or_default() += 1;
        }
    }

    /// Whether a token is an operator behind which a brace may lack.
    fn lacks_opener(&self, at: usize) -> bool {
        let tokens = self.tokens;
        if !tokens.is_operator(at) || at == 0 || !tokens.is_key(at - 1) {
            return false;
        }
        tokens.list[at + 1].kind == TokenKind::CloseBrace
            || tokens.is_key(at + 1) && tokens.is_operator(at + 2)
    }

    fn note_spare(&mut self, index: usize) {
        match self.open.last_mut() {
            None => self.spares.push_back(index),
            Some(block) => {
                block.spare.get_or_insert(index);
            }
        }
    }

    fn key_line(&mut self, at: usize) {
        let indent = self.tokens.list[at].indent;
        let Some(top) = self.open.last_mut() else {
            if indent == self.tokens.list[0].indent {
                self.spares.clear();
            }
            return;
        };
        if top.shaped && top.inner == Some(indent) {
            top.lacks = None;
            top.spare = None;
            return;
        }
        for block in self.open.iter_mut().rev() {
            if block.keyed || block.indent < indent {
                break;
            }
            block.keyed = true;
            if block.shaped {
                block.lacks.get_or_insert(at);
            }
        }
    }

    fn close(&mut self, at: usize) {
        let Some(block) = self.open.pop() else {
            let index = self.spares.pop_front().unwrap_or(at);
            self.spend(index);
            return;
        };
        let token = self.tokens.list[at];
        let (mut lacks, mut spare) = (block.lacks, block.spare);
        if token.first {
            if token.indent == block.indent {
                return;
            }
            if token.indent < block.indent {
                lacks.get_or_insert(at);
            } else {
                spare.get_or_insert(at);
            }
        } else if self.tokens.list[block.opener].line != token.line {
            spare.get_or_insert(at);
        }
        if let Some(spare) = spare {
            self.note_spare(spare);
        }
        if let Some(parent) = self.open.last_mut() {
            parent.lacks = parent.lacks.or(lacks);
        }
    }

    fn spend(&mut self, index: usize) {
        if index > 0 && self.tokens.is_operator(index - 1) {
            self.found.opens.insert(index);
        } else {
            self.found.strays.insert(index);
        }
    }
}
