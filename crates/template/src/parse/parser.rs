//! The parser: Go's grammar, error texts and positions (`text/template/parse/parse.go` is the reference for behaviour).

use std::borrow::Cow;
use std::rc::Rc;

use super::number::Number;
use super::tree::{Branch, Command, Expr, Fields, Invocation, Node, Nodes, Pipe, Tree, Variable};
use crate::lex::{Delims, Item, Kind, LexOptions, Lexer};
use crate::limits::{CONTROL_DEPTH, PAREN_DEPTH};
use crate::quote::{quote, unquote};
use crate::stack::deeper;
use crate::value::Value;

/// Why a text is not a template; its text is Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {file}:{line}: {message}")]
pub struct ParseError {
    /// The name that the text was parsed under.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// How to parse.
#[derive(Clone, Debug)]
pub struct ParseOptions {
    /// The delimiters of actions.
    pub delims: Delims,
    /// Keep comments in the tree.
    pub comments: bool,
    /// How deep parentheses may nest.
    pub paren_depth: usize,
    /// Take every identifier for a function.
    pub any_function: bool,
}

impl Default for ParseOptions {
    fn default() -> ParseOptions {
        ParseOptions {
            delims: Delims::default(),
            comments: false,
            paren_depth: PAREN_DEPTH,
            any_function: false,
        }
    }
}

/// Finds a function by its name: its slot, and the name as its declaration has it.
pub type FindFunction<'a> = dyn Fn(&str) -> Option<(usize, &'static str)> + 'a;

/// Parses a text. The first tree is that of the text itself, the others are what it defines.
pub fn parse(
    name: &str,
    text: &[u8],
    options: &ParseOptions,
    function: &FindFunction<'_>,
) -> Result<Vec<Tree>, ParseError> {
    let lex_options = LexOptions {
        comments: options.comments,
        break_is_function: function("break").is_some(),
        continue_is_function: function("continue").is_some(),
    };
    let mut parser = Parser {
        file: Rc::from(name),
        text: Rc::from(text),
        lexer: Lexer::new(text, &options.delims, lex_options),
        options,
        function,
        tokens: [(); 3].map(|()| Item {
            kind: Kind::Eof,
            pos: 0,
            text: Cow::Borrowed(b""),
        }),
        peeked: 0,
        trees: Vec::new(),
        nodes: Vec::new(),
        commands: Vec::new(),
        operands: Vec::new(),
        scope: Scope::new(),
        depth: 0,
    };
    parser.file()?;
    Ok(parser.trees)
}

type Result<T, E = ParseError> = std::result::Result<T, E>;

struct Parser<'a> {
    file: Rc<str>,
    text: Rc<[u8]>,
    lexer: Lexer<'a>,
    options: &'a ParseOptions,
    function: &'a FindFunction<'a>,
    tokens: [Item<'a>; 3],
    peeked: usize,
    trees: Vec<Tree>,
    /// What the lists, pipelines and commands that are being read have so far, the innermost last: each is moved to a
    /// list of just its size when it ends.
    nodes: Vec<Node>,
    commands: Vec<Command>,
    operands: Vec<Expr>,
    scope: Scope,
    depth: usize,
}

/// What starts afresh in each tree.
struct Scope {
    variables: Vec<Rc<str>>,
    /// Where the action started that is being read.
    action: Option<usize>,
    ranges: usize,
    parens: usize,
}

impl Scope {
    fn new() -> Scope {
        Scope {
            variables: vec![Rc::from("$")],
            action: None,
            ranges: 0,
            parens: 0,
        }
    }
}

/// How errors call what stands in a block's action.
const BLOCK: &str = "block clause";

/// How a list of nodes ended.
enum End {
    End,
    /// `{{else}}`, at this position.
    Else(usize),
}

impl End {
    fn text(&self) -> &'static str {
        match self {
            End::End => "{{end}}",
            End::Else(_) => "{{else}}",
        }
    }
}

enum Element {
    Node(Node),
    End(End),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Control {
    If,
    With,
    Range,
}

impl Control {
    fn name(self) -> &'static str {
        match self {
            Control::If => "if",
            Control::With => "with",
            Control::Range => "range",
        }
    }
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Item<'a> {
        if self.peeked > 0 {
            self.peeked -= 1;
        } else {
            self.tokens[0] = self.lexer.next_item();
        }
        self.tokens[self.peeked].clone()
    }

    fn backup(&mut self) {
        self.peeked += 1;
    }

    fn peek(&mut self) -> &Item<'a> {
        if self.peeked == 0 {
            self.peeked = 1;
            self.tokens[0] = self.lexer.next_item();
        }
        &self.tokens[self.peeked - 1]
    }

    fn next_non_space(&mut self) -> Item<'a> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> &Item<'a> {
        while self.peek().kind == Kind::Space {
            self.next();
        }
        self.peek()
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        self.error_at(self.tokens[0].pos, message)
    }

    fn error_at<T>(&self, pos: usize, message: impl Into<String>) -> Result<T> {
        Err(ParseError {
            file: self.file.to_string(),
            line: self.line(pos),
            message: message.into(),
        })
    }

    /// The line of a position, from 1.
    fn line(&self, pos: usize) -> usize {
        1 + memchr::memchr_iter(b'\n', &self.text[..pos]).count()
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Item<'a>> {
        let token = self.next_non_space();
        if token.kind == kind {
            Ok(token)
        } else {
            self.unexpected(&token, context)
        }
    }

    fn unexpected<T>(&self, token: &Item<'_>, context: &str) -> Result<T> {
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {} in {context}", token.describe()));
        }
        let message = token.describe();
        let start = self.scope.action.map(|pos| self.line(pos));
        let Some(start) = start.filter(|&start| start != self.line(token.pos)) else {
            return self.error(message);
        };
        // Not "unclosed action in action started".
        let link = if message.ends_with(" action") {
            ""
        } else {
            " in action"
        };
        self.error(format!("{message}{link} started at {}:{start}", self.file))
    }

    /// The whole text: like a list, but `define` may stand in it.
    fn file(&mut self) -> Result<()> {
        let pos = self.peek().pos;
        let mark = self.nodes.len();
        loop {
            match self.peek().kind {
                Kind::Eof => break,
                Kind::LeftDelim => {
                    let delim = self.next();
                    if self.next_non_space().kind == Kind::Define {
                        self.definition()?;
                        continue;
                    }
                    self.tokens[1] = delim;
                    self.peeked = 2;
                }
                _ => {}
            }
            match self.text_or_action()? {
                Element::Node(node) => self.nodes.push(node),
                Element::End(end) => return self.error(format!("unexpected {}", end.text())),
            }
        }
        let items = self.nodes.split_off(mark);
        let name = Rc::clone(&self.file);
        self.add(name, Nodes { pos, items })?;
        let last = self.trees.len() - 1;
        let main = self.trees.iter().position(|tree| tree.name == self.file);
        self.trees.swap(main.unwrap_or(last), 0);
        Ok(())
    }

    /// Adds a tree. A name may be defined twice only if one of both is empty.
    fn add(&mut self, name: Rc<str>, root: Nodes) -> Result<()> {
        let tree = Tree {
            name,
            file: Rc::clone(&self.file),
            text: Rc::clone(&self.text),
            root,
        };
        match self.trees.iter_mut().find(|other| other.name == tree.name) {
            None => self.trees.push(tree),
            Some(other) if other.is_empty() => *other = tree,
            Some(_) if tree.is_empty() => {}
            Some(_) => {
                let name = quote(tree.name.as_bytes());
                return self.error(format!("template: multiple definition of template {name}"));
            }
        }
        Ok(())
    }

    fn definition(&mut self) -> Result<()> {
        let context = "define clause";
        let token = self.next_non_space();
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(&token, context);
        }
        let name = self.string(&token)?;
        self.expect(Kind::RightDelim, context)?;
        self.tree_body(name, context)
    }

    /// The body of a `define` or `block` up to its end, which becomes a tree.
    fn tree_body(&mut self, name: Rc<str>, context: &str) -> Result<()> {
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        let outer_pos = self.tokens[0].pos;
        let (root, end) = self.list()?;
        if let End::Else(_) = end {
            // A block's tree has a reader of its own; the one that complains has read as far as the clause.
            let pos = match context {
                BLOCK => outer_pos,
                _ => self.tokens[0].pos,
            };
            return self.error_at(pos, format!("unexpected {} in {context}", end.text()));
        }
        self.add(name, root)?;
        self.scope = outer;
        Ok(())
    }

    fn list(&mut self) -> Result<(Nodes, End)> {
        if self.depth >= CONTROL_DEPTH {
            return self.error("max nesting depth exceeded");
        }
        self.depth += 1;
        let list = deeper(|| self.list_items());
        self.depth -= 1;
        list
    }

    fn list_items(&mut self) -> Result<(Nodes, End)> {
        let pos = self.peek_non_space().pos;
        let mark = self.nodes.len();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Element::Node(node) => self.nodes.push(node),
                Element::End(end) => {
                    let items = self.nodes.split_off(mark);
                    return Ok((Nodes { pos, items }, end));
                }
            }
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Element> {
        let token = self.next_non_space();
        let pos = token.pos;
        match token.kind {
            Kind::Text => Ok(Element::Node(Node::Text {
                pos,
                text: token.text.into(),
            })),
            Kind::Comment => Ok(Element::Node(Node::Comment {
                pos,
                text: token.text.into(),
            })),
            Kind::LeftDelim => {
                self.scope.action = Some(token.pos);
                let element = self.action()?;
                self.scope.action = None;
                Ok(element)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Result<Element> {
        let token = self.next_non_space();
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => {
                self.loop_exit("{{break}}")?;
                Node::Break { pos: token.pos }
            }
            Kind::Continue => {
                self.loop_exit("{{continue}}")?;
                Node::Continue { pos: token.pos }
            }
            Kind::Else => return self.otherwise().map(Element::End),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Element::End(End::End));
            }
            Kind::If => self.control(Control::If)?,
            Kind::Range => self.control(Control::Range)?,
            Kind::With => self.control(Control::With)?,
            Kind::Template => self.invocation()?,
            _ => {
                self.backup();
                let pos = self.peek().pos;
                Node::Action {
                    pos,
                    pipe: self.pipeline("command", Kind::RightDelim)?,
                }
            }
        };
        Ok(Element::Node(node))
    }

    /// What follows the keyword of `{{break}}` and `{{continue}}`: nothing, inside a range.
    fn loop_exit(&mut self, action: &str) -> Result<()> {
        self.expect(Kind::RightDelim, action)?;
        if self.scope.ranges == 0 {
            return self.error(format!("{action} outside {{{{range}}}}"));
        }
        Ok(())
    }

    /// The rest of `{{else}}`; of `{{else if` nothing is consumed, for the caller to go on with `if`.
    fn otherwise(&mut self) -> Result<End> {
        let token = self.peek_non_space();
        if matches!(token.kind, Kind::If | Kind::With) {
            return Ok(End::Else(token.pos));
        }
        Ok(End::Else(self.expect(Kind::RightDelim, "else")?.pos))
    }

    fn control(&mut self, control: Control) -> Result<Node> {
        let variables = self.scope.variables.len();
        let pipe = self.pipeline(control.name(), Kind::RightDelim)?;
        let ranges = usize::from(control == Control::Range);
        self.scope.ranges += ranges;
        let (then, end) = self.list()?;
        self.scope.ranges -= ranges;
        let otherwise = match end {
            End::End => None,
            End::Else(pos) => Some(self.else_list(control, pos)?),
        };
        self.scope.variables.truncate(variables);
        let branch = Box::new(Branch {
            pos: pipe.pos,
            pipe,
            then,
            otherwise,
        });
        Ok(match control {
            Control::If => Node::If(branch),
            Control::With => Node::With(branch),
            Control::Range => Node::Range(branch),
        })
    }

    /// The list after `{{else}}`. An `{{else if}}` is an `if` inside the else, with one `{{end}}` for both.
    fn else_list(&mut self, control: Control, pos: usize) -> Result<Nodes> {
        let chained = matches!(
            (control, self.peek().kind),
            (Control::If, Kind::If) | (Control::With, Kind::With)
        );
        if chained {
            self.next();
            if self.depth >= CONTROL_DEPTH {
                return self.error("max nesting depth exceeded");
            }
            self.depth += 1;
            let node = deeper(|| self.control(control))?;
            self.depth -= 1;
            return Ok(Nodes {
                pos,
                items: vec![node],
            });
        }
        let (list, end) = self.list()?;
        match end {
            End::End => Ok(list),
            End::Else(_) => self.error(format!("expected end; found {}", end.text())),
        }
    }

    fn block(&mut self) -> Result<Node> {
        let token = self.next_non_space();
        let name = self.template_name(&token, BLOCK)?;
        let pipe = self.pipeline(BLOCK, Kind::RightDelim)?;
        self.tree_body(Rc::clone(&name), BLOCK)?;
        Ok(Node::Template(Box::new(Invocation {
            pos: token.pos,
            name,
            pipe: Some(pipe),
        })))
    }

    fn invocation(&mut self) -> Result<Node> {
        let context = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelim {
            self.backup();
            pipe = Some(self.pipeline(context, Kind::RightDelim)?);
        }
        Ok(Node::Template(Box::new(Invocation {
            pos: token.pos,
            name,
            pipe,
        })))
    }

    fn template_name(&mut self, token: &Item<'_>, context: &str) -> Result<Rc<str>> {
        match token.kind {
            Kind::String | Kind::RawString => self.string(token),
            _ => self.unexpected(token, context),
        }
    }

    /// The value of a quoted string that is a name.
    fn string(&self, token: &Item<'_>) -> Result<Rc<str>> {
        match unquote(&token.text) {
            Some(name) => Ok(Rc::from(lossy(&name))),
            None => self.error("invalid syntax"),
        }
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe> {
        let mut pipe = Pipe {
            pos: self.peek_non_space().pos,
            assigns: false,
            variables: Vec::new(),
            commands: Vec::new(),
        };
        while self.declaration(context, &mut pipe)? {}
        let mark = self.commands.len();
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    pipe.commands = self.commands.split_off(mark);
                    self.check_pipeline(&pipe, context)?;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    let command = self.command()?;
                    self.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    /// One variable that the pipeline declares or assigns, if there is one; true if a second one may follow.
    fn declaration(&mut self, context: &str, pipe: &mut Pipe) -> Result<bool> {
        if self.peek_non_space().kind != Kind::Variable {
            return Ok(false);
        }
        let variable = self.next();
        // `$x foo` is an operand and `$x := foo` a declaration: three items decide, so remember the one between.
        let after = self.peek().clone();
        let next = self.peek_non_space().clone();
        let comma = next.kind == Kind::Char && &*next.text == b",";
        if !comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
            if after.kind == Kind::Space {
                self.tokens[1] = after;
                self.tokens[2] = variable;
                self.peeked = 3;
            } else {
                self.tokens[1] = variable;
                self.peeked = 2;
            }
            return Ok(false);
        }
        self.next_non_space();
        let name: Rc<str> = Rc::from(lossy(&variable.text));
        self.scope.variables.push(Rc::clone(&name));
        pipe.variables.push(Variable {
            pos: variable.pos,
            name,
        });
        if !comma {
            pipe.assigns = next.kind == Kind::Assign;
            return Ok(false);
        }
        if context != "range" || pipe.variables.len() >= 2 {
            return self.error(format!("too many declarations in {context}"));
        }
        match self.peek_non_space().kind {
            Kind::Variable | Kind::RightDelim | Kind::RightParen => Ok(true),
            _ => self.error("range can only initialize variables"),
        }
    }

    /// Only the first command of a pipeline may start with something that cannot be called.
    fn check_pipeline(&mut self, pipe: &Pipe, context: &str) -> Result<()> {
        if pipe.commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (at, command) in pipe.commands.iter().enumerate().skip(1) {
            if matches!(
                command.args[0],
                Expr::Bool { .. }
                    | Expr::Dot { .. }
                    | Expr::Nil { .. }
                    | Expr::Number { .. }
                    | Expr::String { .. }
            ) {
                return self.error(format!("non executable command in pipeline stage {}", at + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command> {
        let pos = self.peek_non_space().pos;
        let mark = self.operands.len();
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                self.operands.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.backup(),
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if self.operands.len() == mark {
            return self.error("empty command");
        }
        let args = self.operands.split_off(mark);
        Ok(Command { pos, args })
    }

    /// A term and the fields after it, if the next item starts a term.
    fn operand(&mut self) -> Result<Option<Expr>> {
        let Some(mut term) = self.term()? else {
            return Ok(None);
        };
        let Some((pos, end)) = self.fields() else {
            return Ok(Some(term));
        };
        match &mut term {
            Expr::Variable {
                pos: start, fields, ..
            } => {
                *fields = Fields::new(&self.text[pos..end]);
                *start = pos;
            }
            // A field has taken those behind it already.
            Expr::Field { .. }
            | Expr::Bool { .. }
            | Expr::String { .. }
            | Expr::Number { .. }
            | Expr::Nil { .. }
            | Expr::Dot { .. } => {
                let term = quote(term.to_string().as_bytes());
                return self.error(format!("unexpected . after term {term}"));
            }
            Expr::Identifier { .. } | Expr::Pipe(_) | Expr::Chain { .. } => {
                return Ok(Some(Expr::Chain {
                    pos,
                    operand: Box::new(term),
                    fields: Fields::new(&self.text[pos..end]),
                }));
            }
        }
        Ok(Some(term))
    }

    /// Passes fields, which follow one another without a gap: where the first one starts and the last one ends.
    fn fields(&mut self) -> Option<(usize, usize)> {
        let first = self.peek();
        if first.kind != Kind::Field {
            return None;
        }
        let start = first.pos;
        let mut end = start;
        while self.peek().kind == Kind::Field {
            let field = self.next();
            end = field.pos + field.text.len();
        }
        Some((start, end))
    }

    fn term(&mut self) -> Result<Option<Expr>> {
        let token = self.next_non_space();
        let pos = token.pos;
        let text = || lossy(&token.text);
        let term = match token.kind {
            Kind::Identifier => self.identifier(pos, &text())?,
            Kind::Dot => Expr::Dot { pos },
            Kind::Nil => Expr::Nil { pos },
            Kind::Variable => self.variable(pos, &text())?,
            Kind::Field => {
                let (at, end) = self.fields().unwrap_or((pos, pos + token.text.len()));
                Expr::Field {
                    pos: at,
                    names: Fields::new(&self.text[pos..end]),
                }
            }
            Kind::Bool => Expr::Bool {
                pos,
                value: &*token.text == b"true",
            },
            Kind::CharConstant | Kind::Complex | Kind::Number => match Number::parse(&text()) {
                Ok(number) => Expr::Number {
                    pos,
                    number: Box::new(number),
                },
                Err(message) => return self.error(message),
            },
            Kind::LeftParen => self.parenthesized()?,
            Kind::String | Kind::RawString => match unquote(&token.text) {
                Some(value) => Expr::String {
                    pos,
                    quoted: text().into(),
                    value: Value::str(&*value),
                },
                None => return self.error("invalid syntax"),
            },
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(term))
    }

    fn parenthesized(&mut self) -> Result<Expr> {
        if self.scope.parens >= self.options.paren_depth {
            return self.error("max expression depth exceeded");
        }
        self.scope.parens += 1;
        let pipe = deeper(|| self.pipeline("parenthesized pipeline", Kind::RightParen))?;
        self.scope.parens -= 1;
        Ok(Expr::Pipe(Box::new(pipe)))
    }

    fn identifier(&mut self, pos: usize, name: &str) -> Result<Expr> {
        let (slot, name) = match (self.function)(name) {
            Some((slot, name)) => (slot, Cow::Borrowed(name)),
            None if self.options.any_function => (usize::MAX, Cow::Owned(name.to_owned())),
            None => {
                return self.error(format!("function {} not defined", quote(name.as_bytes())));
            }
        };
        Ok(Expr::Identifier { pos, name, slot })
    }

    fn variable(&mut self, pos: usize, name: &str) -> Result<Expr> {
        let declared = self.scope.variables.iter().rev().find(|v| &***v == name);
        match declared {
            Some(declared) => Ok(Expr::Variable {
                pos,
                name: Rc::clone(declared),
                fields: Fields::default(),
            }),
            None => self.error(format!("undefined variable {}", quote(name.as_bytes()))),
        }
    }
}

/// Like `String::from_utf8_lossy`, quicker where nothing is wrong with a short text.
fn lossy(text: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(text) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(text),
    }
}
