"""
Notes in a spectrogram
======================

In a shell::

    python spectrogram.py

A sound is taken apart into its notes. The sound is simulated: three loud notes, and a fourth one
that is played 26 dB more quietly. Its spectrogram is factorized. H gets the spectrum of
each note, W says when it sounds, and nobody has told the model what a note is.

What matters is the loss. Needs nothing but sparsenmf; with matplotlib it also draws a picture,
spectrogram.png.
"""

# %%
# A tune
# ------
# A note is a few harmonics below an envelope that swells and fades. Some are played alone,
# some together; below it all there is a little noise.

import numpy as np
from scipy.signal import spectrogram

import sparsenmf
from sparsenmf import RandomStarts

RATE, SECONDS = 4000, 7  # samples a second
NOTES = {"C4": 261.63, "E4": 329.63, "G4": 392.00, "A4": 440.00}  # hertz
LOUDNESS = {"C4": 1.0, "E4": 1.0, "G4": 1.0, "A4": 0.05}
TUNE = "C4@0.2 E4@1.0 G4@1.8 A4@2.6 C4@3.4 E4@3.4 E4@4.2 G4@4.2 C4@5.0 A4@5.0 G4@5.8 A4@5.8"

time = np.arange(RATE * SECONDS) / RATE
played = {note: np.zeros(len(time)) for note in NOTES}  # the envelopes, which we look for
for note, start in (event.split("@") for event in TUNE.split()):
    since = np.clip((time - float(start)) / 0.8, 0, 1)
    played[note] += LOUDNESS[note] * np.sin(np.pi * since) ** 2 * np.exp(-since)

sound = 0.01 * np.random.default_rng(0).standard_normal(len(time))
for note, pitch in NOTES.items():
    for h in range(4):
        sound += played[note] * 0.6**h * np.sin(2 * np.pi * pitch * (h + 1) * time + h)

# %%
# Its power, by time and frequency
# --------------------------------
# Rows are moments, columns are frequencies. The powers of sounds nearly add up and are never
# negative, which is what NMF is for. Hardly any of them is zero, though, so this is a small dense
# matrix.

frequencies, moments, power = spectrogram(sound, RATE, "hann", nperseg=512, noverlap=256)
X = power.T
decibels = 10 * np.log10(X / X.max())
print(f"{X.shape[0]} moments x {X.shape[1]} frequencies, over {-decibels.min():.0f} dB")

# %%
# Three losses
# ------------
# The Itakura-Saito divergence looks at ratios: an error by a factor of two costs the same in a
# quiet place as in a loud one. That is how we hear, and it is the likelihood of a spectrogram whose
# phases are random (Févotte, Bertin & Durrieu 2009, "Nonnegative matrix factorization with
# the Itakura-Saito divergence", Neural Computation 21). The Frobenius norm looks at differences
# of powers, and to it a note at -26 dB, a power of 1/400, is hardly there; Kullback-Leibler is
# between the two. A fifth component is for the noise.
#
# The objective has local optima, so the best of three starts is kept.

envelopes = np.array([np.interp(moments, time, envelope) for envelope in played.values()])
models = {}
print("\nHow well the envelope of each note is found (correlation):\n")
print(f"{'':18}" + "".join(f"{note:>8}" for note in NOTES))
for loss in ("itakura-saito", "kullback-leibler", "frobenius"):
    models[loss] = sparsenmf.factorize(
        X, 5, loss=loss, solver="mu", init=RandomStarts(3), random_state=0, max_iter=200
    )
    amplitudes = np.sqrt(models[loss].W.T)
    found = np.corrcoef(amplitudes, envelopes)[:5, 5:]
    print(f"{loss:18}" + "".join(f"{value:8.3f}" for value in found.max(axis=0)))

# %%
# The notes
# ---------
# Each note's component is the one whose activation fits best; the heaviest frequency in its
# spectrum is the note's pitch, up to the width of a bin.

model = models["itakura-saito"]
found = np.corrcoef(np.sqrt(model.W.T), envelopes)[:5, 5:]
component = {note: int(r) for note, r in zip(NOTES, found.argmax(axis=0), strict=True)}
print(f"\nBins are {frequencies[1]:.1f} Hz wide. Heaviest frequency of each component:")
for note, r in component.items():
    heaviest = frequencies[model.H[r].argmax()]
    print(f"  {note}: {heaviest:.1f} Hz, played {NOTES[note]:.1f} Hz")

# %%
# A picture
# ---------
# The spectrogram is in the middle, with the spectra of the components on its left, and their
# activations below it, both as amplitudes (roots of powers). Each curve is scaled to its own
# maximum, because A4 would be invisible otherwise.

COLOURS = dict(zip(NOTES, ("#2b6ca3", "#e0812b", "#3f9b52", "#c8453d"), strict=True))


def draw():
    """Return a figure of the spectrogram, the components and the activations."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 4.3), layout="constrained")
    axes = figure.subplots(2, 2, width_ratios=[1, 3.2], height_ratios=[1.5, 1])
    (spectra, image), (corner, activations) = axes
    corner.set_axis_off()
    corner.text(0.5, 0.45, "X ≈ W H", size=15, style="italic", color="#8a8f98", ha="center")
    heat = image.pcolormesh(
        moments, frequencies, decibels.T, cmap="magma", vmin=-70, vmax=0, rasterized=True
    )
    image.set(ylim=(0, 1500), yticks=[], xticks=[])
    image.set_title("spectrogram (X)", size=10)
    bar = figure.colorbar(heat, ax=image, pad=0.015, aspect=25, ticks=[-60, -40, -20, 0])
    bar.set_label("dB")
    bar.outline.set_visible(False)
    for place, (note, r) in enumerate(component.items()):
        spectrum, activation = np.sqrt(model.H[r]), np.sqrt(model.W[:, r])
        spectrum, activation = spectrum / spectrum.max(), activation / activation.max()
        left, top = place, -place
        spectra.fill_betweenx(frequencies, left, left + 0.85 * spectrum, color=COLOURS[note])
        spectra.text(left, 1530, note, color=COLOURS[note], weight="bold", size=9)
        activations.fill_between(
            moments, top, top + 0.85 * activation, color=COLOURS[note], linewidth=0
        )
    spectra.set(ylim=(0, 1500), ylabel="Hz", xticks=[])
    spectra.set_xlabel("components (H)")
    activations.set(xlim=image.get_xlim(), ylim=(-3.1, 1), xlabel="seconds")
    activations.set_yticks([0.3, -0.7, -1.7, -2.7], list(component))
    activations.set_title("activations (W)", size=10)
    activations.tick_params(axis="y", length=0)
    for label, note in zip(activations.get_yticklabels(), component, strict=True):
        label.set(color=COLOURS[note], weight="bold", size=9)
    for ax in (spectra, activations, image):
        for side in ("top", "right", "left", "bottom"):
            ax.spines[side].set_visible(ax is spectra and side == "left")
    return figure


try:
    draw().savefig("spectrogram.png", dpi=150)
    print("\nPicture: spectrogram.png")
except ImportError:
    print('\nNo picture: it needs matplotlib (pip install "sparsenmf[plot]")')
