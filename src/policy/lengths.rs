//! Which lengths of time a condition lets anybody ask for: comparisons of `context.duration_*` with a number, among the parts
//! that `&&` joins. What stands elsewhere says nothing, so the answer is never narrower than the truth.

use serde_json::Value;

/// Bounds in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lengths {
    /// Nothing longer passes.
    pub longest: Option<i64>,
    /// Only what is longer passes.
    pub longer_than: Option<i64>,
}

/// The parts of a policy's conditions that must all hold. `unless` says nothing here.
pub(super) fn parts(policy: &Value) -> Vec<&Value> {
    let conditions = policy.get("conditions").and_then(Value::as_array).into_iter().flatten();
    let mut open: Vec<&Value> = conditions.filter(|c| c.get("kind").and_then(Value::as_str) == Some("when")).filter_map(|c| c.get("body")).collect();
    let mut found = Vec::new();
    while let Some(value) = open.pop() {
        match value.get("&&") {
            Some(both) => open.extend(both.get("left").into_iter().chain(both.get("right"))),
            None => found.push(value),
        }
    }
    found
}

/// Seconds in a unit that the side of a comparison measures, if it is a duration of the context.
fn unit(side: &Value) -> Option<i64> {
    let of_context = side.pointer("/./left/Var").and_then(Value::as_str) == Some("context");
    match side.pointer("/./attr").and_then(Value::as_str).filter(|_| of_context)? {
        "duration_hours" => Some(3600),
        "duration_minutes" => Some(60),
        _ => None,
    }
}

/// Reads a policy as JSON.
pub(super) fn read(policy: &Value) -> Lengths {
    let mut found = Lengths::default();
    for part in parts(policy) {
        for (operator, mirrored) in [("<=", ">="), ("<", ">"), (">=", "<="), (">", "<"), ("==", "==")] {
            let Some((left, right)) = part.get(operator).and_then(|c| Some((c.get("left")?, c.get("right")?))) else { continue };
            let number = |v: &Value| v.get("Value").and_then(Value::as_i64);
            let (unit, number, operator) = match (unit(left), number(right), unit(right), number(left)) {
                (Some(unit), Some(number), ..) => (unit, number, operator),
                (_, _, Some(unit), Some(number)) => (unit, number, mirrored),
                _ => continue,
            };
            // A duration is rounded up to the unit: `<= n` lets n units pass, `< n` one less, `>= n` all above n - 1.
            let (at, below) = (number.saturating_mul(unit), number.saturating_sub(1).saturating_mul(unit));
            let (longest, longer_than) = match operator {
                "<=" => (Some(at), None),
                "<" => (Some(below), None),
                ">=" => (None, Some(below)),
                ">" => (None, Some(at)),
                _ => (Some(at), Some(below)),
            };
            found.longest = [found.longest, longest].into_iter().flatten().min();
            found.longer_than = [found.longer_than, longer_than].into_iter().flatten().max();
        }
    }
    found
}
