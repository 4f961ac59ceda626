"""Why rows are left out: the phrases that readers share."""

MISSING_PICTURE = 'missing picture'
NOT_A_PICTURE = 'not a picture file'
OUTSIDE_ROOT = 'path outside the root'
NOT_IN_A_CLASS = 'not in a class folder'
NO_BOX = 'box missing or not finite'
NO_BOX_AREA = 'box without area'
MISSING_BOX_FILE = 'missing box file'
MISSING_LABEL_FILE = 'missing label file'
NON_NUMERIC_EXPRESSION = 'non-numeric expression'
# These two are no faults: the dataset is meant to be used without such rows.
CLASS_NOT_USED = 'class not used'
LOW_CONFIDENCE = 'box confidence below the minimum'
