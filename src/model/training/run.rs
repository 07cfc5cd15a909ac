//! The loop of a training, from whatever state it is in to the end.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use burn::tensor::backend::AutodiffBackend;

use super::{
    Keep, TrainParams, Trained,
    checkpoint::{self, State},
    history::{Epoch, History, StepDigest, Stop, Validation, best, chain},
    step::step,
    validation::validate,
};
use crate::{
    fault::{Fault, Kind, Result},
    model::{
        adam::Adam,
        data::{Dataset, Sample},
        file::Model,
        init::initial_parameters,
        lanes::interrupted,
        msdnet::Architecture,
        op::MsdBackend,
        pace::Pace,
    },
    numeric::{Seed, tree_sum},
    pipeline::stage::Progress,
};

const STOPPED: &str = "stopped; run again to go on from here";
/// Writing checkpoints may take one part in so many of the time.
const SHARE_OF_CHECKPOINTS: u32 = 50;

/// One training with everything it needs.
pub(super) struct Run<'a> {
    pub(super) data: &'a Dataset<'a>,
    pub(super) judges: Option<&'a Dataset<'a>>,
    pub(super) params: &'a TrainParams,
    pub(super) seed: Seed,
    pub(super) net: Arc<Architecture>,
    pub(super) one_at_a_time: bool,
    pub(super) scratch: &'a Path,
    pub(super) identity: String,
    pub(super) progress: &'a dyn Progress,
    pub(super) checkpoint_interval: Duration,
}

/// What people see; nothing of it is recorded.
struct Watch {
    pace: Pace,
    /// Slices seen by this process.
    slices: u64,
    /// Loss, smoothed over about twenty steps.
    loss: Option<f64>,
    saved: Instant,
    saving: Duration,
}

impl Run<'_> {
    pub(super) fn train<B>(&self, device: &B::Device) -> Result<Trained>
    where
        B: AutodiffBackend + MsdBackend,
        B::InnerBackend: MsdBackend,
    {
        let mut state = checkpoint::load(self.scratch, &self.identity, &self.net).unwrap_or_else(|| State {
            parameters: initial_parameters(&self.net, self.seed),
            adam: Adam::new(self.params.lr, self.net.parameter_count()),
            epochs: Vec::new(),
            digests: Vec::new(),
            losses: Vec::new(),
            best: None,
        });
        let now = Instant::now();
        let mut watch = Watch { pace: Pace::new(), slices: 0, loss: None, saved: now, saving: Duration::ZERO };
        let stopped = loop {
            if let Some(stop) = self.end(&state) {
                break stop;
            }
            let done = self.epoch::<B>(device, &mut state, &mut watch);
            // One that was stopped goes on from here, one that failed would fail again.
            if done.as_ref().err().is_none_or(|fault| matches!(fault.kind, Kind::Interrupted(_))) {
                self.save(&state, &mut watch)?;
            }
            done?;
        };
        Ok(self.finish(state, stopped))
    }

    /// Does what is left of an epoch.
    fn epoch<B>(&self, device: &B::Device, state: &mut State, watch: &mut Watch) -> Result<()>
    where
        B: AutodiffBackend + MsdBackend,
        B::InnerBackend: MsdBackend,
    {
        self.steps::<B>(device, state, watch)?;
        let validation = self.validation::<B::InnerBackend>(device, state)?;
        self.close(state, validation);
        Ok(())
    }

    /// Whether the training has come to its end. Asked of the history alone, so a resumed run ends where any other does.
    fn end(&self, state: &State) -> Option<Stop> {
        // Stopped before its validation was through: the epoch is still open.
        if !state.losses.is_empty() {
            return None;
        }
        let done = state.epochs.len();
        let best = best(&state.epochs, self.params.monitor);
        let patience = self.params.patience as usize;
        if done as u64 >= self.params.epochs && (state.adam.step >= self.whole() || !self.steps_are_done(state)) {
            Some(Stop::Completed)
        } else if self.steps_are_done(state) {
            Some(Stop::Steps)
        } else if patience > 0 && best.is_some_and(|best| done - (best + 1) >= patience) {
            Some(Stop::Patience)
        } else {
            None
        }
    }

    /// Returns the steps of all epochs.
    fn whole(&self) -> u64 {
        self.params.epochs * self.data.slices().len().div_ceil(self.params.batch) as u64
    }

    /// Returns the learning rate after so many steps: of the planned steps, whether or not the training stops early.
    fn rate(&self, step: u64) -> f64 {
        let (first, last) = (self.params.lr, self.params.lr_end.unwrap_or(self.params.lr));
        let planned = if self.params.max_steps > 0 { self.whole().min(self.params.max_steps) } else { self.whole() };
        first + (last - first) * (step as f64 / planned.saturating_sub(1).max(1) as f64)
    }

    /// Takes the steps that are left of the epoch.
    fn steps<B: AutodiffBackend + MsdBackend>(
        &self,
        device: &B::Device,
        state: &mut State,
        watch: &mut Watch,
    ) -> Result<()> {
        let epoch = state.epochs.len() as u64 + 1;
        let samples = self.data.samples(self.seed, epoch);
        for batch in samples.chunks(self.params.batch).skip(state.losses.len()) {
            if self.steps_are_done(state) {
                break;
            }
            if self.progress.cancelled() {
                return Err(interrupted(STOPPED));
            }
            let (loss, gradients) = step::<B>(device, &self.net, self.data, batch, &state.parameters)?;
            if !loss.is_finite() || gradients.iter().any(|gradient| !gradient.is_finite()) {
                return Err(diverged(epoch, state.adam.step + 1, batch, loss));
            }
            state.adam.learning_rate = self.rate(state.adam.step);
            state.adam.update(&mut state.parameters, &gradients);
            state.losses.push(loss);
            self.note_digest(state);
            self.show(epoch, samples.len(), batch.len(), state, watch);
            if watch.saved.elapsed() >= self.checkpoint_interval.max(watch.saving * SHARE_OF_CHECKPOINTS)
                || self.checkpoint_interval.is_zero()
            {
                self.save(state, watch)?;
            }
        }
        Ok(())
    }

    const fn steps_are_done(&self, state: &State) -> bool {
        self.params.max_steps > 0 && state.adam.step >= self.params.max_steps
    }

    fn note_digest(&self, state: &mut State) {
        if self.params.digest_every > 0 && state.adam.step.is_multiple_of(self.params.digest_every) {
            let before = state.digests.last().map(|digest| digest.weights_chain.as_str());
            let weights_chain = chain(before, &state.parameters);
            state.digests.push(StepDigest { step: state.adam.step, weights_chain });
        }
    }

    fn show(&self, epoch: u64, slices: usize, batch: usize, state: &State, watch: &mut Watch) {
        watch.slices += batch as u64;
        let loss = state.losses.last().copied().map_or(0.0, f64::from);
        let smooth = watch.loss.map_or(loss, |smooth| smooth + 0.05 * (loss - smooth));
        watch.loss = Some(smooth);
        let (slices, epochs) = (slices as u64, self.params.epochs);
        let done = (epoch - 1) * slices + ((state.losses.len() * self.params.batch) as u64).min(slices);
        let pace = watch.pace.of(watch.slices);
        self.progress.step(
            done,
            self.slices_to_see(slices),
            &format!("epoch {epoch}/{epochs}, loss {smooth:.4}, {pace}"),
        );
    }

    fn slices_to_see(&self, slices: u64) -> u64 {
        let all = self.params.epochs * slices;
        match self.params.max_steps {
            0 => all,
            steps => all.min(steps * self.params.batch as u64),
        }
    }

    /// Returns what the validation cases say after the steps of an epoch.
    fn validation<B: MsdBackend>(&self, device: &B::Device, state: &State) -> Result<Validation> {
        let Some(judges) = self.judges else { return Ok(Validation::default()) };
        let (epoch, epochs) = (state.epochs.len() as u64 + 1, self.params.epochs);
        let slices = self.data.slices().len() as u64;
        self.progress.step(epoch * slices, self.slices_to_see(slices), &format!("epoch {epoch}/{epochs}, validation"));
        let how = (self.one_at_a_time, self.progress);
        validate::<B>(device, &self.net, judges, &state.parameters, how).map_err(|fault| match fault.kind {
            Kind::Interrupted(_) => interrupted(STOPPED),
            _ => fault.within(format!("epoch {epoch}, after step {}", state.adam.step)),
        })
    }

    /// Ends an epoch.
    fn close(&self, state: &mut State, validation: Validation) {
        let losses: Vec<f64> = state.losses.drain(..).map(f64::from).collect();
        let before = state.epochs.last().map(|epoch| epoch.weights_chain.as_str());
        let weights_chain = chain(before, &state.parameters);
        state.epochs.push(Epoch {
            epoch: state.epochs.len() as u64 + 1,
            steps: state.adam.step,
            loss: tree_sum(&losses) / losses.len() as f64,
            validation,
            weights_chain,
        });
        let is_best = best(&state.epochs, self.params.monitor) == Some(state.epochs.len() - 1);
        if self.params.keep == Keep::Best && is_best {
            state.best = Some(state.parameters.clone());
        }
    }

    fn save(&self, state: &State, watch: &mut Watch) -> Result<()> {
        let begun = Instant::now();
        checkpoint::save(self.scratch, &self.identity, state)?;
        (watch.saved, watch.saving) = (Instant::now(), begun.elapsed());
        Ok(())
    }

    fn finish(&self, state: State, stopped: Stop) -> Trained {
        let last = state.epochs.len();
        let kept = match self.params.keep {
            Keep::Last => last,
            Keep::Best => best(&state.epochs, self.params.monitor).map_or(last, |best| best + 1),
        };
        let model = Model {
            architecture: (*self.net).clone(),
            normalisation: self.data.normalisation.clone(),
            parameters: state.best.unwrap_or(state.parameters),
        };
        let history = History { stopped, kept_epoch: kept as u64, epochs: state.epochs, digests: state.digests };
        Trained { model, history }
    }
}

fn diverged(epoch: u64, step: u64, batch: &[Sample], loss: f32) -> Fault {
    let id = batch[0].id;
    let (case, slice) = (id.case + 1, id.slice + 1);
    let what = if loss.is_finite() { "a gradient is not finite".to_owned() } else { format!("the loss is {loss}") };
    Fault::unfit(format!("the training diverged in epoch {epoch} at step {step} (case {case}, slice {slice}): {what}"))
        .hint("lower `lr`, and check that scans and labels belong together")
}
