//! Writes the JSON of the nodes of a broken text.

use crate::grammar_tables::{TokenKind, ValueType};
use crate::recovery::{Recovery, Value};

impl Recovery<'_, '_> {
    /// Writes a key, its operator and its place.
    pub fn head(&mut self, start: usize, text: &Value, operator: usize) {
        self.value_text(text);
        self.out.raw(br#"","operator":""#);
        let operator = self.tokens.list[operator];
        self.out
            .raw(&self.tokens.text[operator.start..operator.end]);
        self.out.raw(b"\"");
        self.place(start);
    }

    /// Writes a value node with the place of a token.
    pub fn value_node(&mut self, start: usize, value: &Value) {
        self.out.raw(br#"{"_type":"value","value":""#);
        self.value_text(value);
        self.out.raw(br#"","value_type":""#);
        self.out.raw(self.value_type(value).name().as_bytes());
        self.out.raw(b"\"");
        self.place(start);
        self.out.raw(b"}");
    }

    /// Writes `,"line":…,"column":…` of a token.
    pub fn place(&mut self, index: usize) {
        let token = self.tokens.list[index];
        self.out.place(token.line as usize, token.column as usize);
    }

    fn value_type(&self, value: &Value) -> ValueType {
        match *value {
            Value::Token(index) => {
                let value_type = self.tokens.list[index].kind.value_type();
                value_type.unwrap_or(ValueType::Identifier)
            }
            Value::Scripted(_) | Value::NegativeScripted(_) => ValueType::ScriptedValue,
            Value::Inline(..) => ValueType::InlineExpression,
            Value::NegativeParam(_) => ValueType::Param,
            Value::Minus => ValueType::Identifier,
        }
    }

    fn value_text(&mut self, value: &Value) {
        match *value {
            Value::Token(index) => self.token_text(index),
            Value::Scripted(name) => {
                self.out.raw(b"@");
                self.token_text(name);
            }
            Value::NegativeScripted(name) => {
                self.out.raw(b"-@");
                self.token_text(name);
            }
            Value::Inline(from, to) => {
                self.out.raw(b"@[");
                for index in from..to {
                    if index > from {
                        self.out.raw(b" ");
                    }
                    self.token_text(index);
                }
                self.out.raw(b"]");
            }
            Value::NegativeParam(param) => {
                self.out.raw(b"-");
                self.token_text(param);
            }
            Value::Minus => self.out.raw(b"-"),
        }
    }

    fn token_text(&mut self, index: usize) {
        let token = self.tokens.list[index];
        let found = &self.tokens.text[token.start..token.end];
        match token.kind {
            TokenKind::String => {
                let inner = &found[1..found.len() - 1];
                self.out
                    .string(inner, found[0], self.ends, self.options.dialect);
            }
            TokenKind::CutString => {
                self.out
                    .string(&found[1..], found[0], self.ends, self.options.dialect)
            }
            TokenKind::Param => {
                let inner = &found[1..];
                self.out.raw(b"$");
                self.out.escaped(inner.strip_suffix(b"$").unwrap_or(inner));
                self.out.raw(b"$");
            }
            _ => self.out.escaped(found),
        }
    }
}
