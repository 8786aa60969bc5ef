//! The target column: collected as text, then taken as classes or values.

use std::collections::HashMap;

use chainrule_tensor::{Matrix, Scalar};

use super::precision::Precision;
use super::table::parse;
use crate::error::reserve;
use crate::message::shorten;
use crate::{DataError, Place, Target, Task};

/// Distinct whole numbers beyond this are values.
const MOST_CLASSES: usize = 20;

/// A column of text; each distinct text is kept once.
pub(super) struct Column {
    place: Place,
    ids: HashMap<Box<str>, usize>,
    /// The line where each distinct text occurs first.
    lines: Vec<u64>,
    /// The distinct text of each row.
    rows: Vec<usize>,
}

impl Column {
    /// An empty column at `place` (its line does not count).
    pub(super) fn new(place: Place) -> Self {
        Self { place, ids: HashMap::new(), lines: Vec::new(), rows: Vec::new() }
    }

    pub(super) fn push(&mut self, text: &str, line: u64) -> Result<(), DataError> {
        reserve(&mut self.rows, 1, "the target")?;
        let id = match self.ids.get(text) {
            Some(&id) => id,
            None => {
                reserve(&mut self.lines, 1, "the target")?;
                self.ids.insert(text.into(), self.lines.len());
                self.lines.push(line);
                self.lines.len() - 1
            }
        };
        self.rows.push(id);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        self.ids.contains_key(text)
    }

    /// The target, as the task asked for or as the text suggests.
    pub(super) fn finish<S: Scalar>(mut self, task: Option<Task>) -> Result<Target<S>, DataError> {
        let mut texts = vec![String::new(); self.lines.len()];
        for (text, id) in self.ids.drain() {
            texts[id] = text.into();
        }
        // -0 and 0 are one class.
        let numbers: Vec<Option<f64>> =
            texts.iter().map(|text| text.parse().ok().map(|x: f64| x + 0.0)).collect();
        match self.choose::<S>(task, &texts, &numbers)? {
            Task::Classes => self.classes(&texts, &numbers),
            Task::Values => self.values(&texts),
        }
    }

    fn choose<S: Scalar>(
        &self,
        task: Option<Task>,
        texts: &[String],
        numbers: &[Option<f64>],
    ) -> Result<Task, DataError> {
        if task == Some(Task::Values) {
            return Ok(Task::Values);
        }
        let mut finite: Vec<f64> =
            numbers.iter().flatten().copied().filter(|x| x.is_finite()).collect();
        // Among numbers "nan" is a missing one; among text it may be a class, if classes are meant.
        let only_text = finite.is_empty() && task == Some(Task::Classes);
        let infinite = numbers.iter().position(|x| x.is_some_and(|x| !x.is_finite()));
        if let (Some(id), false) = (infinite, only_text) {
            let (place, text) = (self.place(id), shorten(&texts[id]));
            return Err(DataError::NotFiniteField { place, text, element: S::NAME });
        }
        if let Some(task) = task {
            return Ok(task);
        }
        finite.sort_unstable_by(f64::total_cmp);
        finite.dedup();
        let whole = finite.iter().all(|x| x.fract() == 0.0);
        let often = finite.len() <= MOST_CLASSES && 2 * finite.len() <= self.rows.len();
        let few_whole = whole && (finite.len() <= 2 || often);
        match numbers.iter().position(Option::is_none) {
            None if few_whole => Ok(Task::Classes),
            None => Ok(Task::Values),
            Some(_) if few_whole => Ok(Task::Classes),
            Some(id) => {
                Err(DataError::NotANumber { place: self.place(id), text: shorten(&texts[id]) })
            }
        }
    }

    fn values<S: Scalar>(self, texts: &[String]) -> Result<Target<S>, DataError> {
        let mut distinct = Vec::new();
        reserve(&mut distinct, texts.len(), "the target")?;
        let mut precision = Precision::new();
        for (id, text) in texts.iter().enumerate() {
            distinct.push(precision.round::<S>(parse::<S>(text, || self.place(id))?));
        }
        precision.check::<S>(|| self.place.clone())?;
        let mut values = Matrix::try_zeros(self.rows.len(), 1)?;
        for (value, &id) in values.as_mut_slice().iter_mut().zip(&self.rows) {
            *value = distinct[id];
        }
        Ok(Target::Values { values, names: vec![self.place.name] })
    }

    fn classes<S: Scalar>(
        self,
        texts: &[String],
        numbers: &[Option<f64>],
    ) -> Result<Target<S>, DataError> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        let as_numbers = numbers.iter().all(|x| x.is_some_and(f64::is_finite));
        let number = |id: usize| numbers[id].unwrap_or_default();
        let same = |&a: &usize, &b: &usize| {
            if as_numbers { number(a) == number(b) } else { texts[a] == texts[b] }
        };
        if as_numbers {
            order.sort_by(|&a, &b| number(a).total_cmp(&number(b)));
        } else {
            order.sort_by(|&a, &b| texts[a].cmp(&texts[b]));
        }
        let mut class_of = vec![0; texts.len()];
        let mut names = Vec::new();
        for spellings in order.chunk_by(same) {
            spellings.iter().for_each(|&id| class_of[id] = names.len());
            names.push(match spellings {
                [id] => texts[*id].clone(),
                // "1", "1.0" and "01" are one class, called "1".
                _ => number(spellings[0]).to_string(),
            });
        }
        let mut labels = self.rows;
        labels.iter_mut().for_each(|label| *label = class_of[*label]);
        Ok(Target::Classes { labels, names })
    }

    /// Where the distinct text `id` occurs first.
    fn place(&self, id: usize) -> Place {
        Place { line: self.lines[id], ..self.place.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(texts: &[&str], task: Option<Task>) -> Result<Target<f64>, DataError> {
        let place = Place { file: "t.csv".to_owned(), line: 0, column: 3, name: "y".to_owned() };
        let mut column = Column::new(place);
        for (i, text) in texts.iter().enumerate() {
            column.push(text, i as u64 + 2).unwrap();
        }
        column.finish(task)
    }

    fn names(texts: &[&str]) -> Vec<String> {
        match taken(texts, None).unwrap() {
            Target::Classes { names, .. } => names,
            Target::Values { .. } => panic!("values"),
        }
    }

    #[test]
    fn the_task_follows_the_target() {
        let task = |texts: &[&str]| taken(texts, None).unwrap().task();
        assert_eq!(task(&["cat", "dog"]), Task::Classes);
        assert_eq!(task(&["0", "1", "1"]), Task::Classes);
        assert_eq!(task(&["-1", "1.0", "1"]), Task::Classes);
        assert_eq!(task(&["0", "1", "2", "2", "1", "0"]), Task::Classes);
        assert_eq!(task(&["1", "2", "3", "4"]), Task::Values);
        assert_eq!(task(&["0.5", "1", "0.5", "1"]), Task::Values);
        let many: Vec<String> = (0..2).flat_map(|_| (0..21).map(|i| i.to_string())).collect();
        assert_eq!(task(&many.iter().map(String::as_str).collect::<Vec<_>>()), Task::Values);
        assert_eq!(task(&["1", "2", "unknown", "1", "2"]), Task::Classes);
    }

    #[test]
    fn classes_are_sorted_and_spellings_are_one_class() {
        assert_eq!(names(&["10", "9", "1", "10", "9", "1"]), ["1", "9", "10"]);
        assert_eq!(names(&["b", "a", "B"]), ["B", "a", "b"]);
        assert_eq!(names(&["1", "0", "1.0", "-0"]), ["0", "1"]);
        assert_eq!(names(&["007", "1"]), ["1", "007"]);
        let Target::Classes { labels, .. } =
            taken(&["3", "1", "3.0"], Some(Task::Classes)).unwrap()
        else {
            panic!("values")
        };
        assert_eq!(labels, [1, 0, 1]);
    }

    #[test]
    fn a_hole_among_numbers_is_an_error_with_its_line() {
        let error = |texts: &[&str], task| taken(texts, task).unwrap_err().to_string();
        let holes = error(&["1.5", "2.5", "?", "4.5"], None);
        assert!(holes.starts_with("t.csv, line 4, column 3 (`y`): expected a number"), "{holes}");
        for text in ["nan", "NaN", "inf", "-Infinity", "1e999"] {
            for task in [None, Some(Task::Classes), Some(Task::Values)] {
                let message = error(&["1", "0", text, "1"], task);
                assert!(
                    message.contains("line 4") && message.contains("not a finite"),
                    "{message}"
                );
            }
        }
        assert!(error(&["cat", "nan"], None).contains("not a finite f64"));
        assert!(error(&["cat", "1"], Some(Task::Values)).contains("line 2"));
        let inf = taken(&["inf", "sup"], Some(Task::Classes)).unwrap();
        assert_eq!(inf.names(), ["inf", "sup"]);
    }

    #[test]
    fn values_keep_every_row() {
        let target = taken(&["1", "2", "1"], Some(Task::Values)).unwrap();
        let Target::Values { values, names } = target else { panic!("classes") };
        assert_eq!((values.as_slice(), names), (&[1.0, 2.0, 1.0][..], vec!["y".to_owned()]));
    }
}
