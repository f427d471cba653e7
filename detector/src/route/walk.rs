//! The way of a path through the trie.

use crate::observation::PathComponent;

use super::table::{NearMiss, RouteNode};

/// The node of a path: at each component the static child first, then the mixed ones, then the parameter; backtracks. Between
/// them the children of a node share no path, so the work is bounded by components times children.
pub fn descend<'t>(
    node: &'t RouteNode,
    components: &[PathComponent],
    parameters: &mut Vec<(&'t str, usize)>,
    near_miss: &mut Option<NearMiss<'t>>,
) -> Option<&'t RouteNode> {
    let mut steps = STEPS_MAX;
    step(node, components, 0, parameters, near_miss, &mut steps)
}

/// Nodes visited for one path. A table in which every node has a word, a mixed form and a parameter for the same component could
/// otherwise take exponential time.
const STEPS_MAX: usize = 512;

fn step<'t>(
    node: &'t RouteNode,
    components: &[PathComponent],
    position: usize,
    parameters: &mut Vec<(&'t str, usize)>,
    near_miss: &mut Option<NearMiss<'t>>,
    steps: &mut usize,
) -> Option<&'t RouteNode> {
    *steps = steps.checked_sub(1)?;
    let Some(component) = components.get(position) else {
        return (!node.methods.is_empty()).then_some(node);
    };
    if let Some(word) = &component.word
        && let Ok(found) = node.words.binary_search_by(|(known, _)| known.as_str().cmp(word))
        && let Some((_, child)) = node.words.get(found)
        && let Some(end) = step(child, components, position + 1, parameters, near_miss, steps)
    {
        return Some(end);
    }
    let depth = parameters.len();
    for mixed in node.mixed.iter().filter(|mixed| mixed.component.matches(component)) {
        parameters.push((&mixed.component.template, position));
        if let Some(end) = step(&mixed.node, components, position + 1, parameters, near_miss, steps) {
            return Some(end);
        }
        parameters.truncate(depth);
    }
    let parameter = node.parameter.as_deref()?;
    if parameter.types.binary_search(&component.shape.value_type).is_err() {
        near_miss.get_or_insert(NearMiss {
            parameter: &parameter.name,
            found: component.shape.value_type,
            expected: &parameter.types,
        });
        return None;
    }
    parameters.push((&parameter.name, position));
    let end = step(&parameter.node, components, position + 1, parameters, near_miss, steps);
    if end.is_none() {
        parameters.truncate(depth);
    }
    end
}
