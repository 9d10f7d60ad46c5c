//! `.a.b.c`: entries of maps, fields and methods of objects.

use std::rc::Rc;

use super::Slot;
use super::context::{Ctx, MissingKey};
use super::error::At;
use super::walk::Result;
use crate::parse::{Expr, Fields};
use crate::quote::quote;
use crate::value::{Map, Object, Value, underlying};

impl<'e> Ctx<'e> {
    /// Walks a chain of fields from a receiver. Arguments go to the last one, which must then be a method. `args`
    /// holds the whole command, the chain included, or nothing.
    pub(super) fn fields(
        &mut self,
        dot: &Slot,
        mut receiver: Slot,
        expr: &'e Expr,
        fields: &'e Fields,
        args: &'e [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        let mut names = fields.names();
        while let Some(name) = names.next() {
            if names.is_empty() {
                return self.field(dot, receiver, expr, name, args, last);
            }
            receiver = self.field(dot, receiver, expr, name, &[], None)?;
        }
        Ok(receiver)
    }

    fn field(
        &mut self,
        dot: &Slot,
        receiver: Slot,
        expr: &'e Expr,
        name: &str,
        args: &'e [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        match &receiver.value {
            Value::Nil if receiver.boxed => {
                self.fail(format!("nil pointer evaluating interface {{}}.{name}"))
            }
            Value::Nil if self.options.missing_key == MissingKey::Error => {
                self.fail(format!("nil data; no entry for key {}", quote(name.as_bytes())))
            }
            Value::Nil => Ok(Slot::NONE),
            Value::Map(map) => {
                self.no_arguments(args, last.as_ref(), name, "is not a method but has arguments")?;
                self.entry(map, name)
            }
            Value::Object(object) => {
                let object = Rc::clone(object);
                self.member(dot, &receiver, &object, expr, name, args, last)
            }
            _ => self.no_field(&receiver, name),
        }
    }

    fn no_field<T>(&self, receiver: &Slot, name: &str) -> Result<T> {
        self.fail(format!(
            "can't evaluate field {name} in type {}",
            receiver.type_name()
        ))
    }

    fn no_arguments(&self, args: &[Expr], last: Option<&Slot>, name: &str, problem: &str) -> Result<()> {
        if args.len() > 1 || last.is_some() {
            return self.fail(format!("{name} {problem}"));
        }
        Ok(())
    }

    /// The value of a key of a map, or what stands for a missing one.
    fn entry(&self, map: &Map, name: &str) -> Result<Slot> {
        if let Some(value) = map.get(name) {
            return Ok(Slot::element(value, map.elem()));
        }
        match self.options.missing_key {
            MissingKey::Default => Ok(Slot::NONE),
            MissingKey::Zero => Ok(Slot::element(map.elem().zero(), map.elem())),
            MissingKey::Error => self.fail(format!("map has no entry for key {}", quote(name.as_bytes()))),
        }
    }

    /// A method first, then a field, then an entry of what the object is underneath.
    #[expect(
        clippy::too_many_arguments,
        reason = "the same seven that a field takes, with the object taken out"
    )]
    fn member(
        &mut self,
        dot: &Slot,
        receiver: &Slot,
        object: &Rc<dyn Object>,
        expr: &'e Expr,
        name: &str,
        args: &'e [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        let rest = args.get(1..).unwrap_or_default();
        self.within(self.funcs.budget.method())?;
        if let Some(signature) = object.method(name) {
            let mark = self.stack.len();
            self.arguments(dot, name, signature, rest, last)?;
            let result = object.call(name, &self.stack[mark..], self.host);
            self.stack.truncate(mark);
            return match result {
                Some(result) => self.called(name, At::Expr(expr), result),
                None => self.no_field(receiver, name),
            };
        }
        let field = object.field(name);
        if field.is_none() || !rest.is_empty() || last.is_some() {
            let mut values = Vec::with_capacity(rest.len() + 1);
            for arg in rest {
                values.push(self.operand(dot, arg)?.value);
            }
            values.extend(last.as_ref().map(|slot| slot.value.clone()));
            if let Some(result) = object.call(name, &values, self.host) {
                return self.called(name, At::Expr(expr), result);
            }
        }
        if let Some(value) = field {
            let problem = "has arguments but cannot be invoked as function";
            self.no_arguments(args, last.as_ref(), name, problem)?;
            let boxed = matches!(value, Value::Nil);
            return Ok(Slot { value, boxed });
        }
        match underlying(object) {
            Some(Value::Map(map)) => {
                self.no_arguments(args, last.as_ref(), name, "is not a method but has arguments")?;
                self.entry(&map, name)
            }
            _ => self.no_field(receiver, name),
        }
    }
}
