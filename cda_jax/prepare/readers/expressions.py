"""The order in which every face dataset's labels are stored."""

# The rows of figure 6 in Han et al. (2020).
EXPRESSIONS = ('Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger', 'Neutral')
