//! Calls: arguments counted, evaluated and converted to what a function declares.

use std::rc::Rc;

use super::Slot;
use super::context::Ctx;
use super::error::At;
use super::walk::Result;
use crate::builtins::Builtin;
use crate::func::{Body, FuncResult, Param, Signature};
use crate::parse::Expr;
use crate::quote::quote;
use crate::value::{ElemType, IntType, List, Map, UintType, Value, underlying};

impl<'e> Ctx<'e> {
    /// Calls a function. `args` holds the whole command, the function's name included, or nothing; `caller` is the
    /// step to name where the function itself fails.
    pub(super) fn function(
        &mut self,
        dot: &Slot,
        identifier: &'e Expr,
        caller: At<'e>,
        args: &'e [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        self.at = Some(At::Expr(identifier));
        let Expr::Identifier { name, slot, .. } = identifier else {
            return self.fail("not a function");
        };
        let Some(function) = self.funcs.get(name, *slot) else {
            let name = quote(name.as_bytes());
            return self.fail(format!("{name} is not a defined function"));
        };
        let args = args.get(1..).unwrap_or_default();
        let signature = function.signature;
        self.within(self.funcs.budget.steps(function.steps))?;
        let result = match &function.body {
            Body::Builtin(Builtin::And) => return self.and_or(dot, name, false, args, last),
            Body::Builtin(Builtin::Or) => return self.and_or(dot, name, true, args, last),
            Body::Builtin(builtin) => {
                self.count(name, signature, args, last.as_ref())?;
                let callee = if *builtin == Builtin::Call {
                    callee(args, last.as_ref())
                } else {
                    None
                };
                let values = self.slots(dot, signature, args, last)?;
                for slot in &values {
                    let value = std::slice::from_ref(&slot.value);
                    self.within(self.funcs.budget.arguments(value))?;
                    if builtin.prints() {
                        self.within(self.funcs.budget.walk(value))?;
                    }
                }
                match builtin.run(&values, callee.as_deref().unwrap_or_default()) {
                    Ok(slot) => {
                        self.within(self.funcs.budget.result(&slot.value))?;
                        return Ok(slot);
                    }
                    Err(error) => Err(error),
                }
            }
            Body::Plain(body) => {
                let mark = self.stack.len();
                self.arguments(dot, name, signature, args, last)?;
                let values = &self.stack[mark..];
                self.within(self.funcs.budget.arguments(values))?;
                if function.walks {
                    self.within(self.funcs.budget.walk(values))?;
                }
                let result = body(self.host, values);
                self.stack.truncate(mark);
                result
            }
            Body::Dynamic(body) => {
                let mark = self.stack.len();
                self.arguments(dot, name, signature, args, last)?;
                // The templates that it runs use the stack themselves.
                let mut values = self.spare.pop().unwrap_or_default();
                values.extend(self.stack.drain(mark..));
                let result = body(self, &values);
                values.clear();
                self.spare.push(values);
                result
            }
            Body::Removed => {
                let name = quote(name.as_bytes());
                return self.fail(format!("{name} is not a defined function"));
            }
        };
        self.called(name, caller, result)
    }

    /// The result of a call, or its error with the place of the call.
    #[inline]
    pub(super) fn called(&mut self, name: &str, caller: At<'e>, result: FuncResult) -> Result<Slot> {
        match result {
            Ok(value) => {
                self.within(self.funcs.budget.result(&value))?;
                Ok(Slot::plain(value))
            }
            Err(error) => {
                self.at = Some(caller);
                self.fail(format!("error calling {name}: {error}"))
            }
        }
    }

    /// Arguments are evaluated until one decides.
    fn and_or(
        &mut self,
        dot: &Slot,
        name: &str,
        decides: bool,
        args: &'e [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        if args.is_empty() && last.is_none() {
            return self.fail(format!("wrong number of args for {name}: want at least 1 got 0"));
        }
        let mut value = Slot::NONE;
        for arg in args {
            value = self.operand(dot, arg)?;
            if value.value.truth() == decides {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    #[inline]
    fn count(&self, name: &str, signature: Signature, args: &[Expr], last: Option<&Slot>) -> Result<()> {
        let given = args.len() + usize::from(last.is_some());
        let wanted = signature.params.len();
        if given == wanted || (given > wanted && signature.variadic.is_some()) {
            return Ok(());
        }
        self.miscounted(name, signature, args, given)
    }

    #[cold]
    fn miscounted(&self, name: &str, signature: Signature, args: &[Expr], given: usize) -> Result<()> {
        let wanted = signature.params.len();
        if signature.variadic.is_some() {
            return self.fail(format!(
                "wrong number of args for {name}: want at least {wanted} got {}",
                args.len()
            ));
        }
        self.fail(format!(
            "wrong number of args for {name}: want {wanted} got {given}"
        ))
    }

    /// Puts the arguments of a call on the stack, each of its declared type.
    pub(super) fn arguments(
        &mut self,
        dot: &Slot,
        name: &str,
        signature: Signature,
        args: &'e [Expr],
        last: Option<Slot>,
    ) -> Result<()> {
        self.count(name, signature, args, last.as_ref())?;
        for (at, arg) in args.iter().enumerate() {
            let value = self.argument(dot, param(signature, at), arg)?.value;
            self.stack.push(value);
        }
        if let Some(last) = last {
            let value = self.converted(last, param(signature, args.len()))?.value;
            self.stack.push(value);
        }
        Ok(())
    }

    /// The arguments of a built-in function, which sees whether they come through an interface.
    fn slots(
        &mut self,
        dot: &Slot,
        signature: Signature,
        args: &'e [Expr],
        last: Option<Slot>,
    ) -> Result<Vec<Slot>> {
        let mut slots = Vec::with_capacity(args.len() + 1);
        for (at, arg) in args.iter().enumerate() {
            slots.push(self.argument(dot, param(signature, at), arg)?);
        }
        if let Some(last) = last {
            slots.push(self.converted(last, param(signature, args.len()))?);
        }
        Ok(slots)
    }

    fn argument(&mut self, dot: &Slot, param: Param, arg: &'e Expr) -> Result<Slot> {
        self.at = Some(At::Expr(arg));
        match arg {
            Expr::Nil { .. } => match zero(param) {
                Some(zero) => Ok(Slot::plain(zero)),
                None => self.fail(format!("cannot assign nil to {}", param.type_name())),
            },
            Expr::Bool { .. } | Expr::Number { .. } | Expr::String { .. } => self.constant(param, arg),
            _ => {
                let slot = self.operand(dot, arg)?;
                self.converted(slot, param)
            }
        }
    }

    /// A constant where a type is asked for.
    fn constant(&mut self, param: Param, arg: &'e Expr) -> Result<Slot> {
        let number = match arg {
            Expr::Number { number, .. } => Some(number),
            _ => None,
        };
        let value = match (param, arg) {
            (Param::Any | Param::Reflect, Expr::Bool { value, .. }) => Ok(Value::Bool(*value)),
            (Param::Any | Param::Reflect, Expr::Number { number, .. }) => return self.number(number),
            (Param::Any | Param::Reflect | Param::String, Expr::String { value, .. }) => Ok(value.clone()),
            (Param::Bool, Expr::Bool { value, .. }) => Ok(Value::Bool(*value)),
            (Param::String, _) => Err("expected string"),
            (Param::Bool, _) => Err("expected bool"),
            (Param::Int, _) => int(number.and_then(|n| n.int), IntType::Int),
            (Param::Int64, _) => int(number.and_then(|n| n.int), IntType::Int64),
            (Param::Uint32, _) => match number.and_then(|n| n.uint) {
                Some(n) => Ok(Value::Uint(n & 0xffff_ffff, UintType::Uint32)),
                None => Err("expected unsigned integer"),
            },
            (Param::Float64, _) => match number.and_then(|n| n.float) {
                Some(n) => Ok(Value::Float(n)),
                None => Err("expected float"),
            },
            _ => {
                return self.fail(format!(
                    "can't handle {arg} for arg of type {}",
                    param.type_name()
                ));
            }
        };
        match value {
            Ok(value) => Ok(Slot::plain(value)),
            Err(expected) => self.fail(format!("{expected}; found {arg}")),
        }
    }

    /// The value as the parameter's type, if it can be assigned to it.
    #[inline]
    fn converted(&mut self, slot: Slot, param: Param) -> Result<Slot> {
        if slot.is_none() {
            return match zero(param) {
                Some(zero) => Ok(Slot::plain(zero)),
                None => self.fail(format!("invalid value; expected {}", param.type_name())),
            };
        }
        if matches!(param, Param::Any | Param::Reflect) {
            return Ok(slot);
        }
        if fits(&slot.value, param) {
            return Ok(Slot::plain(slot.value));
        }
        self.assigned(slot, param)
    }

    /// What is underneath an object, if that can be assigned.
    fn assigned(&mut self, slot: Slot, param: Param) -> Result<Slot> {
        let mut value = slot.value.clone();
        while let Value::Object(object) = &value
            && let Some(inner) = underlying(object)
        {
            if fits(&inner, param) {
                return Ok(Slot::plain(inner));
            }
            value = inner;
        }
        let got = if slot.is_nil_interface() {
            slot.type_name()
        } else {
            slot.value.type_name()
        };
        self.fail(format!(
            "wrong type for value; expected {}; got {got}",
            param.type_name()
        ))
    }
}

/// How an error names what `call` was to call.
fn callee(args: &[Expr], last: Option<&Slot>) -> Option<String> {
    match (args.first(), last) {
        (Some(arg), _) => Some(arg.to_string()),
        (
            None,
            Some(Slot {
                value: Value::Str(s), ..
            }),
        ) => Some(s.to_str().into_owned()),
        (None, Some(slot)) => Some(format!("<{} Value>", slot.value.type_name())),
        (None, None) => None,
    }
}

#[inline]
fn param(signature: Signature, at: usize) -> Param {
    let fixed = signature.params.get(at).copied();
    fixed.or(signature.variadic).unwrap_or(Param::Any)
}

fn int(value: Option<i64>, kind: IntType) -> std::result::Result<Value, &'static str> {
    match value {
        Some(n) => Ok(Value::Int(n, kind)),
        None => Err("expected integer"),
    }
}

/// What nil is as a type, if the type has a nil.
fn zero(param: Param) -> Option<Value> {
    Some(match param {
        Param::Any | Param::Reflect => Value::Nil,
        // A pointer has a nil, a struct such as `time.Time` has none.
        Param::Object(name) if name.starts_with('*') => Value::Nil,
        Param::Bytes => Value::Bytes(Rc::from([])),
        Param::Strings => Value::List(List::nil(ElemType::String)),
        Param::List => Value::List(List::nil(ElemType::Any)),
        Param::Map => Value::Map(Map::nil(ElemType::Any)),
        Param::StringMap => Value::Map(Map::nil(ElemType::String)),
        Param::Object(_)
        | Param::String
        | Param::Bool
        | Param::Int
        | Param::Int64
        | Param::Uint32
        | Param::Float64 => return None,
    })
}

/// Whether the value is of the type or of a named type like it.
#[inline]
fn fits(value: &Value, param: Param) -> bool {
    match (value, param) {
        (Value::Str(_), Param::String)
        | (Value::Bool(_), Param::Bool)
        | (Value::Int(_, IntType::Int), Param::Int)
        | (Value::Int(_, IntType::Int64), Param::Int64)
        | (Value::Uint(_, UintType::Uint32), Param::Uint32)
        | (Value::Float(_), Param::Float64)
        | (Value::Bytes(_), Param::Bytes) => true,
        (Value::List(list), Param::Strings) => list.elem() == ElemType::String,
        (Value::List(list), Param::List) => list.elem() == ElemType::Any,
        (Value::Map(map), Param::Map) => map.elem() == ElemType::Any,
        (Value::Map(map), Param::StringMap) => map.elem() == ElemType::String,
        (Value::Object(object), Param::Object(name)) => object.type_name() == name,
        _ => false,
    }
}
