//! PyTorch's values, all four files at once: each crate's own test, run from here. The folder is
//! named by `CHAINRULE_REFERENCE`, else each crate's copy is read; `--nocapture` shows how many
//! cases there are.

#[path = "../../layers/tests/reference.rs"]
mod activations;
#[path = "../../loss/tests/reference.rs"]
mod losses;
#[path = "../../autograd-manual/tests/reference.rs"]
mod networks;
#[path = "../../optim/tests/reference.rs"]
mod optimizers;
