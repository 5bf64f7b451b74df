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
from equipoise.methods.featuremix.method import blended as blended_features
from equipoise.methods.gblending.method import blend_weights
from equipoise.methods.gmm import Options as GmmOptions
from equipoise.methods.gmm.method import adaptive_loss as gmm_loss
from equipoise.methods.gmm.method import penalty as gmm_penalty
from equipoise.methods.gmm.method import posterior_imbalanced
from equipoise.methods.lfm.alignment import infonce, jensen_shannon, matching_loss
from equipoise.methods.lfm.bilevel import conjugate_gradient, hyper_gradient, neumann_series
from equipoise.methods.lfm.schedules import alpha as lfm_alpha
from equipoise.methods.lfm.schedules import fitted as lfm_fitted_alpha
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
from equipoise.methods.mmpareto.method import cosine as gradient_cosine
from equipoise.methods.mmpareto.method import min_norm_weight
from equipoise.methods.mmpareto.method import weights as mmpareto_weights
from equipoise.methods.moddrop.method import spread as moddrop_rates
from equipoise.methods.modulation import relative_scores, scale_gradients
from equipoise.methods.ogm.method import add_noise as add_gradient_noise
from equipoise.methods.ogm.method import coefficients as ogm_coefficients
from equipoise.methods.ogm.method import deviations as gradient_deviations
from equipoise.methods.opm.method import advantages as opm_advantages
from equipoise.methods.opm.method import drawn as opm_keep
from equipoise.methods.opm.method import drop_rates as opm_drop_rates
from equipoise.methods.opm.method import mean_of_kept
from equipoise.methods.opm.method import rescale as opm_rescale
from equipoise.methods.pairing import partners, partners_of_other_class, repaired
from equipoise.methods.pmr.method import class_sums, mean_entropy, prototype_logits
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
from equipoise.methods.smv.method import amount as smv_amount
from equipoise.methods.smv.method import copies as smv_copies
from equipoise.methods.smv.method import enlarged as smv_entries
from equipoise.methods.smv.method import values as smv_values

__all__ = [
    "GmmOptions",
    "Mixture",
    "Mixtures",
    "add_gradient_noise",
    "agm_coefficients",
    "agm_discrepancies",
    "agm_scaled_sum",
    "agreement_loss",
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
    "coalitions",
    "conjugate_gradient",
    "entropy_weights",
    "fit_mixture",
    "gap",
    "gmm_loss",
    "gmm_penalty",
    "gradient_cosine",
    "gradient_deviations",
    "hyper_gradient",
    "infonce",
    "jensen_shannon",
    "kept_loss",
    "lfm_alpha",
    "lfm_fitted_alpha",
    "matching_loss",
    "mean_entropy",
    "mean_log_probability",
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
    "pmr_grades",
    "pmr_loss",
    "posterior_imbalanced",
    "prototype_logits",
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
    "smv_amount",
    "smv_copies",
    "smv_entries",
    "smv_values",
    "soft_loss",
    "true_class_cosines",
    "true_class_score",
    "true_class_scores",
    "weighted_order",
]
