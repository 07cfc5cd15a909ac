//! A thread that finds nothing to begin helps with the loops of the stages that run.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use rayon::prelude::*;

use super::*;

/// Loops until two threads have taken pieces, or time is up; says how many threads it saw, and how many it may have.
fn loop_act(_: &Fake, _: &Value, job: &Job<'_>) -> Result<()> {
    let seen = Mutex::new(BTreeSet::new());
    let end = Instant::now() + Duration::from_secs(20);
    while seen.lock().unwrap().len() < rayon::current_num_threads() && Instant::now() < end {
        (0..64).into_par_iter().for_each(|_| {
            std::thread::sleep(Duration::from_micros(100));
            seen.lock().unwrap().insert(rayon::current_thread_index());
        });
    }
    let found = seen.into_inner().unwrap().len();
    write(job, "text", &format!("{}", 10 * found + rayon::current_num_threads()))
}

#[test]
fn a_stage_that_runs_alone_has_all_threads() {
    for jobs in [1, 2, 3] {
        let mut study = Study::new(&["11"]);
        study.options.jobs = jobs;
        study.node("read@p01").op = fake("loop", input("raw", Arity::One), output("text", "text.txt"), loop_act);
        assert_eq!(study.try_run(&()).unwrap().fault, None);
        assert_eq!(fs::read_to_string(study.blob("read@p01", "text")).unwrap(), format!("{}", 11 * jobs));
    }
}
