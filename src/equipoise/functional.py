"""The mathematics of every method, for any training loop: tensors in, tensors out.

Nothing here knows of stages, files or models. Each function has a docstring with shapes, source and
an example. Functions of several methods that are called alike carry the method's name here;
``help(ogm_coefficients)`` shows the original. ``docs/use-in-your-own-loop.md`` uses five of them.

Conventions: B samples, C classes, D features, M modalities; logits (B, C), labels (B,) int64,
features (B, D); what is by modality is a mapping from its name.
"""

from equipoise.coalitions import coalitions, shapley
from equipoise.gap.mixture import Mixture, fit_mixture
from equipoise.gap.scores import gap, true_class_score, true_class_scores
from equipoise.gap.subset import balanced_subset
from equipoise.methods.agm.method import coefficients as agm_coefficients
from equipoise.methods.agm.method import discrepancies as agm_discrepancies
from equipoise.methods.agm.method import mean_log_probability
from equipoise.methods.agm.method import scaled_sum as agm_scaled_sum
from equipoise.methods.amss.masks import drawn_units as amss_units
from equipoise.methods.amss.masks import importance as amss_importance
from equipoise.methods.amss.masks import spread as amss_spread
from equipoise.methods.amss.masks import unit_energies as amss_energies
from equipoise.methods.amss.rates import feature_entropy, label_entropy, label_frequencies
from equipoise.methods.amss.rates import information as amss_information
from equipoise.methods.amss.rates import moving_shares as amss_shares
from equipoise.methods.amss.rates import released_label_entropy as amss_label_entropy
from equipoise.methods.amss.rates import released_shares as amss_released_shares
from equipoise.methods.arl.asymmetry import asymmetric_weights as arl_weights
from equipoise.methods.arl.asymmetry import dependence as arl_dependence
from equipoise.methods.arl.asymmetry import inverse_variance as arl_inverse_variance
from equipoise.methods.aug.boosting import boosting_loss as aug_loss
from equipoise.methods.aug.boosting import confidences as aug_confidences
from equipoise.methods.aug.boosting import residual_weight as aug_residual_weight
from equipoise.methods.aug.boosting import weaker as aug_weaker
from equipoise.methods.aug.boosting import weaker_by_ratio as aug_weaker_by_ratio
from equipoise.methods.bss.method import agreement as bss_agreement
from equipoise.methods.bss.method import probabilities as bss_probabilities
from equipoise.methods.bss.method import scaled as bss_scaled
from equipoise.methods.bss.method import scores as bss_scores
from equipoise.methods.bss.method import share as bss_share
from equipoise.methods.bss.method import smoothed as bss_smoothed
from equipoise.methods.bss.method import weighted_order
from equipoise.methods.cml.calibration import batch_rises as cml_batch_rises
from equipoise.methods.cml.calibration import chain as cml_chain
from equipoise.methods.cml.calibration import confidence
from equipoise.methods.cml.calibration import official_rises as cml_official_rises
from equipoise.methods.cml.calibration import rises as cml_rises
from equipoise.methods.dgl.disentangled import disentangled_loss as dgl_loss
from equipoise.methods.distillation import divergence as distillation_divergence
from equipoise.methods.distillation import feature_distance
from equipoise.methods.featuremix.method import blended as blended_features
from equipoise.methods.gblending.method import blend_weights
from equipoise.methods.gmm import Options as GmmOptions
from equipoise.methods.gmm.method import adaptive_loss as gmm_loss
from equipoise.methods.gmm.method import penalty as gmm_penalty
from equipoise.methods.gmm.method import posterior_imbalanced
from equipoise.methods.inforeg.regulation import batch_score as inforeg_score
from equipoise.methods.inforeg.regulation import growth as inforeg_growth
from equipoise.methods.inforeg.regulation import leads as inforeg_leads
from equipoise.methods.inforeg.regulation import mean_squares as inforeg_mean_squares
from equipoise.methods.inforeg.regulation import pull as inforeg_pull
from equipoise.methods.inforeg.regulation import smoothed_growth as inforeg_smoothed_growth
from equipoise.methods.inforeg.regulation import squared_length as inforeg_squared_length
from equipoise.methods.lfm.alignment import infonce, jensen_shannon, matching_loss
from equipoise.methods.lfm.bilevel import conjugate_gradient, hyper_gradient, neumann_series
from equipoise.methods.lfm.schedules import alpha as lfm_alpha
from equipoise.methods.lfm.schedules import fitted as lfm_fitted_alpha
from equipoise.methods.masam.perturbation import cosines as masam_cosines
from equipoise.methods.masam.perturbation import decay as masam_decay
from equipoise.methods.masam.perturbation import moved_average as masam_average
from equipoise.methods.masam.perturbation import perturbation as masam_perturbation
from equipoise.methods.masam.perturbation import (
    released_perturbation as masam_released_perturbation,
)
from equipoise.methods.masam.perturbation import score as masam_score
from equipoise.methods.mbsd.distillation import distillation_loss as mbsd_loss
from equipoise.methods.mbsd.distillation import divergence as mbsd_divergence
from equipoise.methods.mbsd.distillation import pair_weights as mbsd_weights
from equipoise.methods.mbsd.distillation import squared_difference as mbsd_squared_difference
from equipoise.methods.mbsd.distillation import true_log_probability
from equipoise.methods.midas.method import Mixtures
from equipoise.methods.midas.method import falls_behind as midas_falls_behind
from equipoise.methods.midas.method import mixtures_loss as midas_loss
from equipoise.methods.midas.method import ratio_of_use as midas_ratio_of_use
from equipoise.methods.midas.method import shares as midas_shares
from equipoise.methods.midas.method import under_use as midas_under_use
from equipoise.methods.midas.mixing import soft_loss
from equipoise.methods.mla.method import entropy_weights
from equipoise.methods.mla.method import fused as mla_fused
from equipoise.methods.mla.method import regulariser as mla_regulariser
from equipoise.methods.mla.method import updated as mla_projection
from equipoise.methods.mla.method import updated_elementwise as mla_projection_elementwise
from equipoise.methods.mmcosine.method import true_class_cosines
from equipoise.methods.mmpareto.method import combine as mmpareto_combine
from equipoise.methods.mmpareto.method import min_norm_weight
from equipoise.methods.mmpareto.method import weights as mmpareto_weights
from equipoise.methods.mnl.negative import guides as mnl_guides
from equipoise.methods.mnl.negative import margins as mnl_margins
from equipoise.methods.mnl.negative import mean_logits
from equipoise.methods.mnl.negative import negative_terms as mnl_negative_terms
from equipoise.methods.mnl.negative import target_terms as mnl_target_terms
from equipoise.methods.mnl.negative import teaching_loss as mnl_loss
from equipoise.methods.moddrop.method import spread as moddrop_rates
from equipoise.methods.modulation import cosine as gradient_cosine
from equipoise.methods.modulation import entropies, relative_scores, scale_gradients
from equipoise.methods.ogm.method import add_noise as add_gradient_noise
from equipoise.methods.ogm.method import coefficients as ogm_coefficients
from equipoise.methods.ogm.method import deviations as gradient_deviations
from equipoise.methods.opm.method import advantages as opm_advantages
from equipoise.methods.opm.method import drawn as opm_keep
from equipoise.methods.opm.method import drop_rates as opm_drop_rates
from equipoise.methods.opm.method import mean_of_kept
from equipoise.methods.opm.method import rescale as opm_rescale
from equipoise.methods.pairing import partners, partners_of_other_class, repaired
from equipoise.methods.pdmp.method import accuracies as pdmp_accuracies
from equipoise.methods.pdmp.method import coefficients as pdmp_coefficients
from equipoise.methods.pmr.method import (
    class_sums,
    mean_entropy,
    prototype_logits,
    prototype_loss,
)
from equipoise.methods.pmr.method import grades as pmr_grades
from equipoise.methods.pmr.method import moved as moved_prototypes
from equipoise.methods.pmr.method import rebalance_loss as pmr_loss
from equipoise.methods.reconboost.method import agreement_loss
from equipoise.methods.reconboost.method import boosting_loss as reconboost_loss
from equipoise.methods.reconboost.method import ensemble as reconboost_ensemble
from equipoise.methods.reconboost.method import stage_of as reconboost_stage
from equipoise.methods.relearn.method import blend as relearn_blend
from equipoise.methods.relearn.method import purity
from equipoise.methods.relearn.method import strength_of as relearn_strength
from equipoise.methods.remix.method import assigned as remix_assigned
from equipoise.methods.remix.method import information as remix_information
from equipoise.methods.remix.method import kept_loss
from equipoise.methods.smp.stages import convolutions as smp_convolutions
from equipoise.methods.smp.stages import factors as smp_factors
from equipoise.methods.smp.stages import solo_epochs as smp_solo_epochs
from equipoise.methods.smp.stages import stage as smp_stage
from equipoise.methods.smv.method import amount as smv_amount
from equipoise.methods.smv.method import copies as smv_copies
from equipoise.methods.smv.method import enlarged as smv_entries
from equipoise.methods.smv.method import values as smv_values
from equipoise.methods.tcmax.bound import additive_loss as tcmax_loss
from equipoise.methods.tcmax.bound import drawn_tuples as tcmax_tuples
from equipoise.methods.tcmax.bound import sampled_loss as tcmax_sampled_loss

__all__ = [
    "GmmOptions",
    "Mixture",
    "Mixtures",
    "add_gradient_noise",
    "agm_coefficients",
    "agm_discrepancies",
    "agm_scaled_sum",
    "agreement_loss",
    "amss_energies",
    "amss_importance",
    "amss_information",
    "amss_label_entropy",
    "amss_released_shares",
    "amss_shares",
    "amss_spread",
    "amss_units",
    "arl_dependence",
    "arl_inverse_variance",
    "arl_weights",
    "aug_confidences",
    "aug_loss",
    "aug_residual_weight",
    "aug_weaker",
    "aug_weaker_by_ratio",
    "balanced_subset",
    "blend_weights",
    "blended_features",
    "bss_agreement",
    "bss_probabilities",
    "bss_scaled",
    "bss_scores",
    "bss_share",
    "bss_smoothed",
    "class_sums",
    "cml_batch_rises",
    "cml_chain",
    "cml_official_rises",
    "cml_rises",
    "coalitions",
    "confidence",
    "conjugate_gradient",
    "dgl_loss",
    "distillation_divergence",
    "entropies",
    "entropy_weights",
    "feature_distance",
    "feature_entropy",
    "fit_mixture",
    "gap",
    "gmm_loss",
    "gmm_penalty",
    "gradient_cosine",
    "gradient_deviations",
    "hyper_gradient",
    "infonce",
    "inforeg_growth",
    "inforeg_leads",
    "inforeg_mean_squares",
    "inforeg_pull",
    "inforeg_score",
    "inforeg_smoothed_growth",
    "inforeg_squared_length",
    "jensen_shannon",
    "kept_loss",
    "label_entropy",
    "label_frequencies",
    "lfm_alpha",
    "lfm_fitted_alpha",
    "masam_average",
    "masam_cosines",
    "masam_decay",
    "masam_perturbation",
    "masam_released_perturbation",
    "masam_score",
    "matching_loss",
    "mbsd_divergence",
    "mbsd_loss",
    "mbsd_squared_difference",
    "mbsd_weights",
    "mean_entropy",
    "mean_log_probability",
    "mean_logits",
    "mean_of_kept",
    "midas_falls_behind",
    "midas_loss",
    "midas_ratio_of_use",
    "midas_shares",
    "midas_under_use",
    "min_norm_weight",
    "mla_fused",
    "mla_projection",
    "mla_projection_elementwise",
    "mla_regulariser",
    "mmpareto_combine",
    "mmpareto_weights",
    "mnl_guides",
    "mnl_loss",
    "mnl_margins",
    "mnl_negative_terms",
    "mnl_target_terms",
    "moddrop_rates",
    "moved_prototypes",
    "neumann_series",
    "ogm_coefficients",
    "opm_advantages",
    "opm_drop_rates",
    "opm_keep",
    "opm_rescale",
    "partners",
    "partners_of_other_class",
    "pdmp_accuracies",
    "pdmp_coefficients",
    "pmr_grades",
    "pmr_loss",
    "posterior_imbalanced",
    "prototype_logits",
    "prototype_loss",
    "purity",
    "reconboost_ensemble",
    "reconboost_loss",
    "reconboost_stage",
    "relative_scores",
    "relearn_blend",
    "relearn_strength",
    "remix_assigned",
    "remix_information",
    "repaired",
    "scale_gradients",
    "shapley",
    "smp_convolutions",
    "smp_factors",
    "smp_solo_epochs",
    "smp_stage",
    "smv_amount",
    "smv_copies",
    "smv_entries",
    "smv_values",
    "soft_loss",
    "tcmax_loss",
    "tcmax_sampled_loss",
    "tcmax_tuples",
    "true_class_cosines",
    "true_class_score",
    "true_class_scores",
    "true_log_probability",
    "weighted_order",
]
