"""Kind ``signal``: numbers over time, or a plain vector."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equipoise.modalities.axes import check_axes
from equipoise.modalities.sizes import Strength, time_left_out
from equipoise.modalities.suffixes import ARRAYS, TABLES
from equipoise.registry import KindInfo
from equipoise.section import Fraction, Positive, Section


class Settings(Section):
    """How a signal is stored: (length, channels), or (channels,) of a vector; float32."""

    channels: Positive
    """Numbers at one time; of a vector: numbers in all."""
    length: Positive | None = None
    """Steps in time that are stored, whatever the signal has; null: a vector, without time."""
    axes: str = ""
    """The axes of the array in order; t time, c channel (several become one), 1 nothing; empty:
    ``tc``, or ``c`` for a vector."""
    key: str = ""
    """Name of the array in the file; empty: there is one only."""
    columns: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Of a table: the columns that are read, whose rows are times; empty: all."""
    inline: bool = False
    """The column of the manifest holds the numbers, with blanks, commas or semicolons between."""
    fit: Literal["stretch", "cut"] = "stretch"
    """``stretch``: the whole signal becomes ``length`` steps; ``cut``: the steps stay as they are,
    a longer signal is cut, a shorter one goes on with its last values."""
    place: Literal["start", "centre"] = "start"
    """Which part is cut out."""
    resample: Literal["linear", "poly"] = "linear"
    """How it is stretched. ``linear``: between neighbours, both ends kept; ``poly``: by a filter
    against aliasing (scipy.signal.resample_poly, padtype "line")."""
    missing: Literal["refuse", "interpolate", "zero"] = "refuse"
    """What becomes of NaN: the sample is refused, or NaN filled by its neighbours in time, or 0."""
    coordinates: Annotated[int, Field(ge=2)] | None = None
    """The channels are points with so many coordinates each (x, y, z of a joint, then of the next);
    the mean of all points over the stored steps becomes the origin, so that it does not matter
    where a person stood. null: values stay as they are."""

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        check_axes(self.order, "tc", needed="t" if self.length else "", repeated="c")
        if not self.length and "t" in self.order:
            raise ValueError("length: how many steps are stored? (axes has a t)")
        if not self.length and self.missing == "interpolate":
            raise ValueError(
                "missing: interpolate is over time, a vector has none; say zero or refuse"
            )
        if self.coordinates and self.channels % self.coordinates:
            raise ValueError(
                f"coordinates: {self.channels} channels are no points of {self.coordinates} each"
            )
        if self.coordinates and self.missing == "zero":
            raise ValueError("coordinates: points at 0 would move the centre; missing: interpolate")
        if self.inline and len(self.order) > 1:
            raise ValueError("inline: a cell holds numbers in a row; say axes: c, or axes: t")
        return self

    @property
    def order(self) -> str:
        """The axes of the array."""
        return self.axes or ("tc" if self.length else "c")


class Augment(Section):
    """What is random in training, and what evaluation does instead.

    Scaling and jitter: Um et al., ICMI 2017, section 3 (deviations 0.1 and 0.05 there).
    """

    window: Positive | None = None
    """Steps that the encoder gets of those stored: a random place in training, the middle in
    evaluation; null: all."""
    shift: Fraction = 0.0
    """Moved in time by up to this part of the length, both ways; the end value repeats."""
    scale: Strength = 0.0
    """Each channel is multiplied by a normal number: mean 1, this deviation."""
    jitter: Strength = 0.0
    """Normal noise on each number, in units of the channel's deviation over the training split."""
    share: str = ""
    """Modalities with the same word here get the same random numbers."""


def _check(settings: Settings, augment: Augment) -> None:
    if settings.length is None and (augment.window or augment.shift):
        raise ValueError("augment: window and shift are of signals over time; this is a vector")
    if augment.window and settings.length and augment.window > settings.length:
        raise ValueError(f"augment.window: {augment.window} of {settings.length} stored steps")


KIND = KindInfo(
    summary="numbers over time (sensors, skeletons, EEG), or a vector (a table's row, features)",
    settings=Settings,
    augment=Augment,
    reader="equipoise.modalities.signal.reader:SignalReader",
    feed="equipoise.modalities.signal.feed:SignalFeed",
    layout=lambda settings: "sequence" if settings.length else "vector",
    words=("sensor", "inertial", "skeleton", "eeg", "imu", "features"),
    propose="equipoise.modalities.signal.propose:propose",
    encoder=lambda settings: "temporal_conv" if settings.length else "mlp",
    suffixes=(*ARRAYS, *TABLES),
    inline=lambda settings: bool(settings.inline),
    check=_check,
    left_out=lambda s, augment: time_left_out(augment.window, s.length) if s.length else {},
)
