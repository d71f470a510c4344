//! Finds the most likely place of missing and extra braces in a broken text, by indentation.
//!
//! `ck3parse/parser/braces.py` is the same in Python, and explains the method.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::grammar_tables::TokenKind;
use crate::recovery_tokens::RecoveryTokens;

/// How to repair the braces of a text. All members are indices of tokens.
#[derive(Default)]
pub(crate) struct Repairs {
    /// The number of blocks to close before a token.
    pub closes: HashMap<usize, usize>,
    /// Closing braces to skip.
    pub strays: HashSet<usize>,
    /// Tokens after an operator to open a block before.
    pub opens: HashSet<usize>,
}

/// An open block.
struct Block {
    opener: usize,
    indent: u32,
    /// The indentation of its content, unless that starts on the same line.
    inner: Option<u32>,
    /// Whether its content is indented or starts on the line of its brace.
    shaped: bool,
    /// Whether a line inside it starts like `key =` and is indented no deeper than it.
    keyed: bool,
    /// The token before which a closing brace may be missing.
    missing: Option<usize>,
    /// The token in it that may be an extra brace, or that an opening brace may be missing before.
    extra: Option<usize>,
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
            missing: None,
            extra: None,
        }
    }
}

/// Returns how to repair the braces of a text.
pub(crate) fn repairs(tokens: &RecoveryTokens) -> Repairs {
    let mut braces = Braces {
        tokens,
        open: Vec::new(),
        extras: VecDeque::new(),
        found: Repairs::default(),
    };
    braces.run();
    braces.found
}

struct Braces<'a, 't> {
    tokens: &'a RecoveryTokens<'t>,
    open: Vec<Block>,
    /// Such tokens outside of all blocks.
    extras: VecDeque<usize>,
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
                _ if self.may_lack_opener(at) => self.note_extra(at + 1),
                _ => {}
            }
            at += 1;
        }
        for block in &self.open {
            *self
                .found
                .closes
                .entry(block.missing.unwrap_or(at))
                .or_default() += 1;
        }
    }

    /// Whether a token is an operator after which an opening brace may be missing.
    fn may_lack_opener(&self, at: usize) -> bool {
        let tokens = self.tokens;
        if !tokens.is_operator(at) || at == 0 || !tokens.is_key(at - 1) {
            return false;
        }
        tokens.list[at + 1].kind == TokenKind::CloseBrace
            || tokens.is_key(at + 1) && tokens.is_operator(at + 2)
    }

    fn note_extra(&mut self, index: usize) {
        match self.open.last_mut() {
            None => self.extras.push_back(index),
            Some(block) => {
                block.extra.get_or_insert(index);
            }
        }
    }

    fn key_line(&mut self, at: usize) {
        let indent = self.tokens.list[at].indent;
        let Some(top) = self.open.last_mut() else {
            if indent == self.tokens.list[0].indent {
                self.extras.clear();
            }
            return;
        };
        if top.shaped && top.inner == Some(indent) {
            top.missing = None;
            top.extra = None;
            return;
        }
        for block in self.open.iter_mut().rev() {
            if block.keyed || block.indent < indent {
                break;
            }
            block.keyed = true;
            if block.shaped {
                block.missing.get_or_insert(at);
            }
        }
    }

    fn close(&mut self, at: usize) {
        let Some(block) = self.open.pop() else {
            let index = self.extras.pop_front().unwrap_or(at);
            self.use_note(index);
            return;
        };
        let token = self.tokens.list[at];
        let (mut missing, mut extra) = (block.missing, block.extra);
        if token.first {
            if token.indent == block.indent {
                return;
            }
            if token.indent < block.indent {
                missing.get_or_insert(at);
            } else {
                extra.get_or_insert(at);
            }
        } else if self.tokens.list[block.opener].line != token.line {
            extra.get_or_insert(at);
        }
        if let Some(extra) = extra {
            self.note_extra(extra);
        }
        if let Some(parent) = self.open.last_mut() {
            parent.missing = parent.missing.or(missing);
        }
    }

    fn use_note(&mut self, index: usize) {
        if index > 0 && self.tokens.is_operator(index - 1) {
            self.found.opens.insert(index);
        } else {
            self.found.strays.insert(index);
        }
    }
}
