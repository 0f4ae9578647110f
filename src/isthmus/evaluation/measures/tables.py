"""The headings under which figures stand."""

OVERVIEW = "overview"
LIKELIHOOD = "likelihood"
INFORMATION = "information"
LATENT = "latent space"
DISENTANGLEMENT = "disentanglement"
SAMPLES = "samples"
IMAGES = "images"
# Measures that fill no column, and make what a report draws.
PICTURES = "pictures"

# In which order a reader wants them.
ORDER = (OVERVIEW, IMAGES, LATENT, DISENTANGLEMENT, INFORMATION, LIKELIHOOD, SAMPLES, PICTURES)
