//! Functions of each element.

use chainrule_tensor::kernels::{Formula, map, update, zip_map};
use chainrule_tensor::{Number, Scalar, Threads, instruction_set, math};

use crate::{LENGTHS, cast, wave};

#[test]
fn maps_apply_the_function_everywhere() {
    fn check<S: Scalar>() {
        for n in LENGTHS {
            let (x, y) = (cast::<S>(&wave(n)), cast::<S>(&wave(n + 5)[5..]));
            let mut z = vec![S::nan(); n];
            map(&x, &mut z, |x| x * x, &Threads::one());
            assert!(z.iter().zip(&x).all(|(&z, &x)| z == x * x));
            zip_map(&x, &y, &mut z, |x, y| x - y, &Threads::one());
            assert!((0..n).all(|i| z[i] == x[i] - y[i]));
            let mut u = y.clone();
            update(&x, &mut u, |x, y| x * y + x);
            assert!((0..n).all(|i| u[i] == x[i] * y[i] + x[i]));
        }
    }
    check::<f32>();
    check::<f64>();
}

/// A function of `math`, taken of vectors.
#[derive(Debug, Clone, Copy)]
enum Function {
    Exp,
    ExpM1,
    Tanh,
    Sigmoid,
    Softplus,
    NormalPdf,
}

impl Function {
    const ALL: [Self; 6] = {
        use Function::*;
        [Exp, ExpM1, Tanh, Sigmoid, Softplus, NormalPdf]
    };
}

impl<S: Scalar> Formula<S, 1> for Function {
    #[inline(always)]
    fn at<N: Number<Element = S>>(&self, [x]: [N; 1]) -> N {
        match self {
            Self::Exp => math::exp(x),
            Self::ExpM1 => math::exp_m1(x),
            Self::Tanh => math::tanh(x),
            Self::Sigmoid => math::sigmoid(x),
            Self::Softplus => math::softplus(x),
            Self::NormalPdf => math::normal_pdf(x),
        }
    }
}

/// The function, times a second operand.
struct Times(Function);

impl<S: Scalar> Formula<S, 2> for Times {
    #[inline(always)]
    fn at<N: Number<Element = S>>(&self, [x, y]: [N; 2]) -> N {
        self.0.at([x]) * y
    }
}

/// A NaN's bits are unspecified.
fn same_bits<S: Scalar>(x: S, y: S) -> bool {
    x.as_f64().to_bits() == y.as_f64().to_bits() || (x.is_nan() && y.is_nan())
}

#[test]
fn an_element_gets_the_same_bits_wherever_it_stands() {
    fn check<S: Scalar>() {
        let points = [-800.0, -104.0, -90.0, -20.0, -3.3, -0.7, -1e-9, 0.0, 1e-4, 0.35, 1.0, 9.1];
        let specials = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let one = Threads::one();
        // Past whole blocks of vectors in turn, whole vectors and single numbers.
        let lengths: &[usize] = if cfg!(miri) { &[1, 3] } else { &[1, 3, 37, 128, 309] };
        for f in Function::ALL {
            for x in points.into_iter().chain(specials).map(S::of) {
                let mut alone = [S::zero()];
                map(&[x], &mut alone, f, &one);
                for &n in lengths {
                    for place in (0..n).step_by(if n < 40 { 1 } else { 7 }) {
                        let mut xs = cast::<S>(&wave(n));
                        xs[place] = x;
                        let mut ys = vec![S::zero(); n];
                        map(&xs, &mut ys, f, &one);
                        let (there, alone) = (ys[place], alone[0]);
                        let at = format!("{f:?}({x}) at {place} of {n}, {}", S::NAME);
                        assert!(same_bits(there, alone), "{at}: {there:e}, alone {alone:e}");
                    }
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

/// Every place, with operands that differ: an element in another's place would show.
#[test]
fn formulas_of_vectors_are_those_of_numbers_but_for_rounding() {
    fn check<S: Scalar>() {
        let lengths: &[usize] = if cfg!(miri) { &[5, 300] } else { &[0, 5, 127, 128, 129, 50_001] };
        for f in Function::ALL {
            for &n in lengths {
                let (x, y) = (cast::<S>(&wave(n)), cast::<S>(&wave(n + 5)[5..]));
                let maps = |threads: usize| {
                    let threads = Threads::new(threads).unwrap();
                    let mut h = [vec![S::nan(); n], vec![S::nan(); n]];
                    map(&x, &mut h[0], f, &threads);
                    zip_map(&x, &y, &mut h[1], Times(f), &threads);
                    h
                };
                let [h, z] = maps(1);
                let mut u = y.clone();
                update(&x, &mut u, Times(f));
                for i in 0..n {
                    let exact = f.at([x[i]]);
                    let near = (h[i] - exact).abs() <= S::of(8.0) * S::epsilon() * exact.abs();
                    assert!(near, "{f:?}({}) = {}, not {exact}, {i} of {n}", x[i], h[i]);
                    assert_eq!((z[i], u[i]), (h[i] * y[i], h[i] * y[i]), "{f:?}, {i} of {n}");
                }
                assert_eq!(maps(3), [h, z], "{f:?}, {n} on three threads");
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn formulas_are_fused_where_the_processor_can() {
    struct Difference;
    impl<S: Scalar> Formula<S, 1> for Difference {
        fn at<N: Number<Element = S>>(&self, [x]: [N; 1]) -> N {
            x.muladd(x, N::constant(-1.0))
        }
    }
    // The square's last bit is lost if it is rounded by itself.
    let x = 1.0 + 2.0_f64.powi(-30);
    let plain = instruction_set() == Ok("portable");
    let expected = if plain { x * x - 1.0 } else { x.mul_add(x, -1.0) };
    assert_ne!(x * x - 1.0, x.mul_add(x, -1.0));
    let mut h = [0.0; 200];
    map(&[x; 200], &mut h, Difference, &Threads::one());
    assert_eq!(h, [expected; 200]);
    // A closure's operations are those written in it.
    map(&[x; 200], &mut h, |x| x * x - 1.0, &Threads::one());
    assert_eq!(h, [x * x - 1.0; 200]);
}
