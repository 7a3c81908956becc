/* SPDX-License-Identifier: MIT
 * The measures of a walker's spectrogram: one table makes the order, the names, the units and the explanations.
 * GAIT_MEASURE(name, unit, help); unit: "doppler" (that of the axis), "frequency" (one over that of the time axis),
 * "dB" or "". New ones at the end: what a program knows as measure 3 stays measure 3. */
#ifndef MDLDM_EVAL_GAIT_TABLE_H
#define MDLDM_EVAL_GAIT_TABLE_H

#define MDLDM__GAIT_TABLE(GAIT_MEASURE)                                                                               \
    GAIT_MEASURE(torso_doppler, "doppler", "mean of the torso line")                                                  \
    GAIT_MEASURE(torso_std, "doppler", "standard deviation of the torso line over time")                              \
    GAIT_MEASURE(torso_bob, "doppler", "amplitude of the torso line at the step frequency")                           \
    GAIT_MEASURE(envelope_upper, "doppler", "mean of the upper envelope")                                             \
    GAIT_MEASURE(envelope_lower, "doppler", "mean of the lower envelope")                                             \
    GAIT_MEASURE(upper_peak, "doppler", "95% point of the upper envelope: the fastest limbs")                         \
    GAIT_MEASURE(lower_peak, "doppler", "5% point of the lower envelope: the fastest limbs the other way")            \
    GAIT_MEASURE(bandwidth, "doppler", "upper_peak less lower_peak")                                                  \
    GAIT_MEASURE(bandwidth_torso, "doppler",                                                                          \
                 "5% point of the upper envelope less 95% point of the lower: what is left while limbs are slow")     \
    GAIT_MEASURE(offset, "doppler", "middle of upper_peak and lower_peak less torso_doppler: forward against "        \
                                    "backward swing")                                                                 \
    GAIT_MEASURE(step_frequency, "frequency", "of the joint spectrum of envelopes and torso line")                    \
    GAIT_MEASURE(step_strength, "", "share of the curves' variance at the step frequency, 0 to 1")                    \
    GAIT_MEASURE(step_depth, "doppler", "amplitude of the upper envelope at the step frequency")                      \
    GAIT_MEASURE(spectral_entropy, "", "mean over time of the entropy of power over Doppler; 1: spread evenly")       \
    GAIT_MEASURE(torso_to_limb, "dB", "power near the torso line over the rest")                                      \
    GAIT_MEASURE(strength_std, "", "standard deviation of the echo in dB above the threshold over its mean")          \
    GAIT_MEASURE(occupancy, "", "share of the picture above the threshold")                                           \
    GAIT_MEASURE(contrast, "dB", "largest value less the threshold")

#define MDLDM__GAIT_ENUMERATOR(name, unit, help) MDLDM__GAIT_##name,
typedef enum mdldm__gait_index { MDLDM__GAIT_TABLE(MDLDM__GAIT_ENUMERATOR) MDLDM__GAIT_COUNT } mdldm__gait_index;

#endif
