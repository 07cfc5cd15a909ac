//! What the scanner's beam meets: water, bone, metal, and how each weakens photons of an energy.
//!
//! Mass attenuation coefficients (with coherent scattering), cm²/g: Hubbell and Seltzer, "Tables of X-Ray Mass Attenuation
//! Coefficients", NIST Standard Reference Database 126 (2004): liquid water, cortical bone (ICRU-44), iron, aluminium.
//! Between the tabulated energies both logarithms go linearly, as that report recommends away from edges.

/// Energies of the tables, keV. None of the absorption edges of these materials lies between the first and the last.
const ENERGIES_KEV: [f64; 9] = [15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 150.0];
const WATER: [f64; 9] = [1.673, 0.8096, 0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505];
const BONE: [f64; 9] = [9.032, 4.001, 1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.1480];
const IRON: [f64; 9] = [57.08, 25.68, 8.176, 3.629, 1.958, 1.205, 0.5952, 0.3717, 0.1964];
const ALUMINIUM: [f64; 9] = [7.955, 3.441, 1.128, 0.5685, 0.3681, 0.2778, 0.2018, 0.1704, 0.1378];

/// Density of aluminium, g/cm³.
const ALUMINIUM_G_CM3: f64 = 2.699;
/// Density of cortical bone, g/cm³ (ICRU-44).
pub(super) const BONE_G_CM3: f64 = 1.92;
/// Energy at which a scene's HU are meant, keV: about the mean of a head scan's beam behind 20 cm of water.
pub(super) const REFERENCE_KEV: f64 = 70.0;
/// Soft tissue ends here, HU; what is denser contains bone mineral.
const SOFT_HU: f64 = 60.0;

/// Mass attenuation coefficients at one energy, cm²/g: water, bone, iron.
pub(super) fn attenuation_cm2_g(kev: f64) -> [f64; 3] {
    [WATER, BONE, IRON].map(|table| between(&table, kev))
}

/// Linear attenuation coefficient of aluminium, 1/mm.
pub(super) fn aluminium_per_mm(kev: f64) -> f64 {
    between(&ALUMINIUM, kev) * ALUMINIUM_G_CM3 / 10.0
}

/// Interpolates a table at an energy, both logarithmically; outside it, the last segment goes on.
fn between(table: &[f64; 9], kev: f64) -> f64 {
    let upper = ENERGIES_KEV.iter().position(|&energy| energy >= kev).unwrap_or(8).clamp(1, 8);
    let share = libm::log(kev / ENERGIES_KEV[upper - 1]) / libm::log(ENERGIES_KEV[upper] / ENERGIES_KEV[upper - 1]);
    libm::exp(libm::log(table[upper - 1]) + share * libm::log(table[upper] / table[upper - 1]))
}

/// Turns a scene's HU into the densities of the two base materials.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tissue {
    /// HU of cortical bone at the reference energy.
    cortical_hu: f64,
}

impl Tissue {
    /// Returns the conversion.
    pub(super) fn new() -> Self {
        let [water, bone, _] = attenuation_cm2_g(REFERENCE_KEV);
        Self { cortical_hu: 1000.0 * (bone * BONE_G_CM3 / water - 1.0) }
    }

    /// Returns the densities of water and of cortical bone that have these HU at the reference energy, g/cm³.
    ///
    /// Up to 60 HU water of another density; between there and cortical bone a mixture by volume; above denser bone.
    pub(super) fn densities(self, hu: f64) -> [f64; 2] {
        if hu <= SOFT_HU {
            return [(1.0 + hu / 1000.0).max(0.0), 0.0];
        }
        if hu >= self.cortical_hu {
            return [0.0, BONE_G_CM3 * (hu + 1000.0) / (self.cortical_hu + 1000.0)];
        }
        let bone = (hu - SOFT_HU) / (self.cortical_hu - SOFT_HU);
        [(1.0 - bone) * (1.0 + SOFT_HU / 1000.0), bone * BONE_G_CM3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_met_at_their_energies_and_in_between() {
        assert!((attenuation_cm2_g(60.0)[0] - 0.2059).abs() < 1e-12);
        assert!((attenuation_cm2_g(60.0)[1] - 0.3148).abs() < 1e-12);
        // In between, on the chord of the logarithms; the true curve lies a little below a convex one's chord.
        let [water, bone, iron] = attenuation_cm2_g(70.0);
        assert!(0.1837 < water && water < 0.2059 && 0.2229 < bone && bone < 0.3148 && 0.5952 < iron && iron < 1.205);
        assert!((water - 0.1937).abs() < 0.001, "water at 70 keV is {water}");
    }

    #[test]
    fn a_mixture_has_the_hu_it_was_made_from() {
        let tissue = Tissue::new();
        let [water, bone, _] = attenuation_cm2_g(REFERENCE_KEV);
        for hu in [-1000.0, -95.0, 0.0, 60.0, 61.0, 300.0, 1200.0, 1590.0, 2100.0] {
            let [w, b] = tissue.densities(hu);
            let back = 1000.0 * ((w * water + b * bone) / water - 1.0);
            assert!((back - hu).abs() < 1e-9, "{hu} comes back as {back}");
        }
        assert!((1400.0..1800.0).contains(&tissue.cortical_hu), "cortical bone is {} HU", tissue.cortical_hu);
    }
}
