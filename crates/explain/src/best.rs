//! The K strongest paths by dynamic programming over the layered graph.
//!
//! A unit keeps its K strongest partial paths from the loss. Those of a unit below are the K
//! largest of the lists above, each multiplied by the edge: a merge of sorted lists by a heap.
//! Rounded products keep the order of their factors' magnitudes, so the answer is exact but for
//! the order of equals.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use chainrule_tensor::Scalar;

use crate::ExplainError;
use crate::graph::Graph;

/// Partial paths that may be held at a time, 16 bytes each.
const MOST_PARTIAL: usize = 1 << 24;
/// Named factors that an answer may have.
const MOST_FACTORS: usize = 1 << 22;

/// A path without names.
#[derive(Debug, Clone)]
pub(crate) struct Ranked {
    /// The units, from 0, from the uppermost level down.
    pub(crate) units: Vec<u32>,
    /// The factors' values; one more than units.
    pub(crate) factors: Vec<f64>,
    /// Their product, from the first.
    pub(crate) value: f64,
}

/// A partial path: its product, the unit above, and which of that unit's paths it prolongs.
#[derive(Debug, Clone, Copy)]
struct Partial {
    value: f64,
    above: u32,
    rank: u32,
}

/// In the order of the heap: the largest magnitude first, of equals the first unit and rank.
#[derive(Debug, Clone, Copy)]
struct Candidate(Partial);

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.0, &other.0);
        let place = |p: &Partial| (p.above, p.rank);
        a.value.abs().total_cmp(&b.value.abs()).then_with(|| place(b).cmp(&place(a)))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

/// Refuses a K of 0, and one whose lists or answer would not fit into memory. `count` is the number
/// of paths asked among.
pub(crate) fn check<S: Scalar>(
    graph: &Graph<'_, S>,
    k: usize,
    paths: crate::PathCount,
) -> Result<(), ExplainError> {
    if k == 0 {
        return Err(ExplainError::NoPaths);
    }
    let found = paths.at_most(k);
    let partial = lists(graph, k).iter().fold(0_usize, |sum, n| sum.saturating_add(*n));
    let factors = found.saturating_mul(graph.levels.len() + 1);
    if partial > MOST_PARTIAL || factors > MOST_FACTORS {
        let width: usize = graph.levels.iter().map(|level| level.width).sum();
        let most = (MOST_PARTIAL / width.max(1)).min(MOST_FACTORS / (graph.levels.len() + 1));
        return Err(ExplainError::TooManyPaths { asked: k, most: most.max(1) });
    }
    Ok(())
}

/// How many partial paths each level holds.
fn lists<S: Scalar>(graph: &Graph<'_, S>, k: usize) -> Vec<usize> {
    let mut per_unit = 1_usize;
    let mut lists = vec![graph.levels[0].width];
    for (step, pair) in graph.steps.iter().zip(graph.levels.windows(2)) {
        if step.is_dense() {
            per_unit = per_unit.saturating_mul(pair[0].width).min(k);
        }
        lists.push(per_unit.saturating_mul(pair[1].width));
    }
    lists
}

/// The `k` paths with the largest `|product|`, from the largest; all if there are fewer.
pub(crate) fn strongest<S: Scalar>(graph: &Graph<'_, S>, k: usize) -> Vec<Ranked> {
    // lists[t][n]: the best paths to unit n of level t. The first level's are the unit itself.
    let first = |&value: &f64| vec![Partial { value, above: 0, rank: 0 }];
    let mut lists: Vec<Vec<Vec<Partial>>> = vec![graph.top.iter().map(first).collect()];
    for (t, step) in graph.steps.iter().enumerate() {
        let above = &lists[t];
        let into = |p: usize| match step.is_dense() {
            _ if !needed(graph, t + 1, p) => Vec::new(),
            true => merge(above, k, |o| step.factor(o, p)),
            false => {
                let edge = step.factor(p, p);
                let prolong = |(rank, partial): (usize, &Partial)| Partial {
                    value: partial.value * edge,
                    above: p as u32,
                    rank: rank as u32,
                };
                above[p].iter().enumerate().map(prolong).collect()
            }
        };
        let next = (0..graph.levels[t + 1].width).map(into).collect();
        lists.push(next);
    }
    let last = lists.len() - 1;
    let count = lists[last][graph.target].len().min(k);
    let mut ranked: Vec<Ranked> = (0..count)
        .map(|rank| {
            let units = trace(&lists, graph.target, rank);
            let factors = graph.factors(&units);
            let value = factors.iter().product();
            Ranked { units, factors, value }
        })
        .collect();
    // A first level that is the last has had no merge.
    ranked.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    ranked
}

/// Whether a path to the parameter can pass unit `n` of level `t`: on the way straight down to its
/// neuron, no other does.
fn needed<S: Scalar>(graph: &Graph<'_, S>, t: usize, n: usize) -> bool {
    n == graph.target || graph.steps[t..].iter().any(|step| step.is_dense())
}

/// The `k` largest of all lists' values multiplied by their edge.
fn merge(lists: &[Vec<Partial>], k: usize, edge: impl Fn(usize) -> f64) -> Vec<Partial> {
    let candidate = |o: usize, rank: usize| {
        let value = lists[o].get(rank)?.value * edge(o);
        Some(Candidate(Partial { value, above: o as u32, rank: rank as u32 }))
    };
    let heads: Vec<Candidate> = (0..lists.len()).filter_map(|o| candidate(o, 0)).collect();
    let mut heap = BinaryHeap::from(heads);
    let mut best = Vec::new();
    while best.len() < k
        && let Some(Candidate(partial)) = heap.pop()
    {
        best.push(partial);
        heap.extend(candidate(partial.above as usize, partial.rank as usize + 1));
    }
    best
}

/// The units of a path, from the uppermost level down.
fn trace(lists: &[Vec<Vec<Partial>>], target: usize, rank: usize) -> Vec<u32> {
    let mut units = vec![0; lists.len()];
    let (mut unit, mut rank) = (target as u32, rank as u32);
    for t in (0..lists.len()).rev() {
        units[t] = unit;
        let partial = lists[t][unit as usize][rank as usize];
        (unit, rank) = (partial.above, partial.rank);
    }
    units
}

/// Calls `visit` with the product of every path, without a list of them.
pub(crate) fn enumerate<S: Scalar>(graph: &Graph<'_, S>, mut visit: impl FnMut(f64)) {
    // A stack of (level, unit, product from the loss).
    let mut stack: Vec<(usize, usize, f64)> =
        graph.top.iter().enumerate().map(|(n, &value)| (0, n, value)).collect();
    let last = graph.steps.len();
    while let Some((t, n, product)) = stack.pop() {
        if t == last {
            if n == graph.target {
                visit(product * graph.param.value);
            }
            continue;
        }
        let step = &graph.steps[t];
        let mut go = |p: usize| {
            if needed(graph, t + 1, p) {
                stack.push((t + 1, p, product * step.factor(n, p)));
            }
        };
        match step.is_dense() {
            true => (0..graph.levels[t + 1].width).for_each(&mut go),
            false => go(n),
        }
    }
}
