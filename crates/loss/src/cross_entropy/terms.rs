//! The value and the gradient of one example.

use chainrule_tensor::Scalar;

use crate::elementwise::sum_triples;

/// What the examples of one batch have in common: with `t` the weighted, smoothed target, an
/// example's loss is `Σ_j t_j (ln(1 + r) + m − a_j)` for `e_j = e^{a_j − m}` and `1 + r = Σ_k e_k`,
/// and its gradient `(Σ_k t_k) e_j / (1 + r) − t_j`.
pub(super) struct Terms<'a, S> {
    pub(super) weights: Option<&'a [f64]>,
    pub(super) smoothed: bool,
    /// `1 − ε`.
    pub(super) kept: S,
    /// `ε/K`.
    pub(super) share: S,
    /// `ε/K Σ_j w_j`.
    pub(super) spread: S,
}

impl<S: Scalar> Terms<'_, S> {
    #[inline(always)]
    fn weight(&self, class: usize) -> S {
        self.weights.map_or(S::one(), |weights| S::of(weights[class]))
    }

    #[inline(always)]
    pub(super) fn class_value(&self, a: &[S], class: usize, max: S, ln_sum: S) -> S {
        let value = times(self.kept * self.weight(class), (max - a[class]) + ln_sum);
        if !self.smoothed {
            return value;
        }
        let surprise = |a: S| (max - a) + ln_sum;
        let surprises = match self.weights {
            Some(weights) => sum_triples(a, a, weights, |a, _, w| times(S::of(w), surprise(a))),
            None => sum_triples(a, a, a, |a, _, _| surprise(a)),
        };
        value + self.share * surprises
    }

    /// Turns the exponentials `e` into the gradient; `others` is their sum without the largest's 1.
    #[inline(always)]
    pub(super) fn class_gradient(&self, e: &mut [S], class: usize, others: S, scale: S) {
        let one = S::one();
        let hard = self.kept * self.weight(class) * scale;
        let factor = (hard + self.spread * scale) / (one + others);
        let share = self.share * scale;
        if !self.smoothed {
            let wrong = sum_without(others, e[class]);
            for e in &mut *e {
                *e *= factor;
            }
            e[class] = -factor * wrong;
            return;
        }
        match self.weights {
            None => {
                for e in &mut *e {
                    *e = *e * factor - share;
                }
            }
            Some(weights) => {
                for (e, &w) in e.iter_mut().zip(weights) {
                    *e = *e * factor - share * S::of(w);
                }
            }
        }
        e[class] -= hard;
    }

    #[inline(always)]
    fn soft(&self, y: S) -> S {
        self.kept * y + self.share
    }

    #[inline(always)]
    pub(super) fn soft_value(&self, a: &[S], y: &[S], max: S, ln_sum: S) -> S {
        let surprise = |a: S| (max - a) + ln_sum;
        match self.weights {
            Some(weights) => {
                sum_triples(a, y, weights, |a, y, w| times(S::of(w) * self.soft(y), surprise(a)))
            }
            None => sum_triples(a, y, y, |a, y, _| times(self.soft(y), surprise(a))),
        }
    }

    /// Turns the exponentials `e`, whose sum is `sum`, into the gradient.
    #[inline(always)]
    pub(super) fn soft_gradient(&self, e: &mut [S], y: &[S], sum: S, scale: S) {
        match self.weights {
            Some(weights) => {
                let total = sum_triples(y, y, weights, |y, _, w| S::of(w) * self.soft(y));
                let factor = total * scale / sum;
                for ((e, &y), &w) in e.iter_mut().zip(y).zip(weights) {
                    *e = *e * factor - S::of(w) * self.soft(y) * scale;
                }
            }
            None => {
                let total = sum_triples(y, y, y, |y, _, _| self.soft(y));
                let factor = total * scale / sum;
                for (e, &y) in e.iter_mut().zip(y) {
                    *e = *e * factor - self.soft(y) * scale;
                }
            }
        }
    }
}

/// `Σ_{j≠ℓ} e_j` of the exponentials whose sum is `1 + others`, of which that of the class is `e`:
/// `ŷ_ℓ − 1 = −Σ_{j≠ℓ} e_j / Σ_j e_j` keeps its digits where `ŷ_ℓ` is nearly 1.
#[inline(always)]
pub(super) fn sum_without<S: Scalar>(others: S, e: S) -> S {
    others + (S::one() - e)
}

/// `target · surprise`, where `0 · ∞` is 0: a class that is not wanted may be impossible.
#[inline(always)]
fn times<S: Scalar>(target: S, surprise: S) -> S {
    if target == S::zero() && !surprise.is_nan() { S::zero() } else { target * surprise }
}
