//! What a parse tells of the nodes that it writes, so that rows need no tree.

/// Is told of each node of a text, in the text's order. Texts are those of the JSON, escaped.
pub(crate) trait Visitor {
    /// Whether it is told anything. A parse without a visitor does nothing for it.
    const ACTIVE: bool;

    /// A block begins. The place is that of its name, here and for the others.
    fn block(&mut self, name: &[u8], line: usize, column: usize);

    /// A list begins.
    fn list(&mut self);

    /// The innermost block or list ends.
    fn close(&mut self);

    /// An assignment begins whose key has no `@` of its own.
    fn key(&mut self, key: &[u8], line: usize, column: usize);

    /// The value of an assignment. `text` goes on after it, from a quote on.
    fn value(&mut self, text: &[u8], line: usize, column: usize);
}

/// A parse without a visitor.
impl Visitor for () {
    const ACTIVE: bool = false;

    fn block(&mut self, _: &[u8], _: usize, _: usize) {}

    fn list(&mut self) {}

    fn close(&mut self) {}

    fn key(&mut self, _: &[u8], _: usize, _: usize) {}

    fn value(&mut self, _: &[u8], _: usize, _: usize) {}
}
