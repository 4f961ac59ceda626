"""Cross-dataset adaptation as in the paper: RAF-DB, ExpW and AffectNet, ResNet-50, 120 epochs.

    python -m cda_jax.main --config=configs/cda.py --workdir=runs/cda

Data: data/rafdb, data/expw and data/affectnet, made by tools/prepare.py.
Hardware: the batch is spread over all devices, and the ResNet computes in bfloat16; if memory
is short, `--config.remat=True` saves memory at the cost of time. The paper used one TITAN RTX.
Source: Han et al. (2020), section III; what the paper leaves open is decided in docs/method.md.

It does poorly where a batch has few samples of a site or of a class: class weights estimated from
so few are noise, and cost more accuracy than they gain in even recall. Use configs/cda_robust.py
for such data.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """The configuration; every field can be changed by --config.FIELD=VALUE."""
    config = ConfigDict()
    config.seed = 0

    # Data
    config.data_dir = 'data'  # a folder for each site, made by tools/prepare.py
    config.sites = ('rafdb', 'expw', 'affectnet')  # trained on; the dataset classifier's classes
    config.test_sites = ()  # evaluated at the end; may name sites not trained on; empty: sites
    config.site_weights = ()  # share of each site in a batch; empty: in proportion to its size
    config.class_balance = 0.0  # draws within a site: 0: as classes are, 1: all equally often
    config.soft_labels = True  # learn shares of votes where a site has them; False: the top class
    config.target = 'label'  # what to learn: 'label', or 'site' to tell the datasets apart
    config.validation_fraction = 0.0  # of training photos, to select on, without a split for it
    config.select_by = 'accuracy'  # score of the best checkpoint; or 'mean_recall', 'macro_f1'
    config.image_size = 100  # pixels; cut from records of 112
    config.random_crop = True
    config.random_flip = True
    config.mixup = 0.0  # alpha of mixup, as 0.2; 0: pictures are not mixed
    config.mixup_within = 'batch'  # or 'site': a picture is mixed with one of its own site
    config.num_threads = 0  # threads that read and decode; 0: one a processor, up to 16
    config.keep_decoded = 'auto'  # pixels in memory: 'yes', 'no', 'auto' (where they fit)

    # Network
    config.resnet_depth = 50  # 6, 8, 10, 18, 34, 50, 101 or 152
    config.resnet_width = 64  # channels of the first stage
    config.feature_size = 1000
    # Mean and variance of all rows, 'shared'; of each site's ('site_statistics'); 'site': each site
    # has its own scale and bias, too
    config.batch_norm = 'shared'
    config.padding = 'same'  # of the ResNet; 'symmetric' as in PyTorch, for weights of timm
    config.shared_head = False  # one emotion classifier for all sites instead of one for each
    config.common_head = False  # a further one, trained on all; answers for sites not trained on
    config.transition_matrices = False  # LTNet: a site's classifier is the common one x a matrix
    config.pseudo_label = 'hard'  # of the label extractor: 'hard', 'soft'; 'none' leaves it out
    # 'adversary', the paper's dataset classifier; 'conditional_adversary', CDAN's; 'none'
    config.alignment = 'adversary'
    config.classifier_widths = (512, 256)  # hidden layers of emotion and dataset classifiers
    config.label_extractor_widths = (512, 512, 512, 512, 256)
    config.dropout = 0.5  # of the label extractor
    config.negative_slope = 0.2  # of LeakyReLU
    config.compute_dtype = 'bfloat16'  # of the ResNet; parameters and losses are float32
    config.remat = False  # recompute activations on the way back: less memory, more time

    # What training starts from: docs/pretrained.md
    config.init_from = ''  # a run's workdir, or timm's weights as .safetensors or .npz; '': random
    config.init_parts = 'feature_extractor'  # what is read; or 'all' of a run's network
    config.freeze = 'nothing'  # or 'batch_norm', or the stem and all stages up to 'stage1', ...
    config.pretrained_rate_factor = 1.0  # times the learning rate; of the ResNet but its last layer

    # Losses: functions of cda_jax.losses, or dotted paths of your own
    config.emotion_loss = 'adaptive_cross_entropy'
    config.emotion_loss_args = {'alpha': 1.0}
    config.dataset_loss = 'adaptive_cross_entropy'
    config.dataset_loss_args = {'alpha': 1.0}
    config.site_size_power = 1.0  # of a site's weight in the emotion loss; 0: all weigh the same
    config.shared_statistics = 0.0  # of the emotion loss; 0: of each site's samples, 1: of all
    config.label_balance = 0.0  # of L_2; 0: every sample counts the same, 1: every class
    config.group_dro = 0.0  # step size of the sites' weights in the emotion loss, as 0.01; 0: none
    config.posthoc_tau = 0.0  # logit adjustment at evaluation: its strength, 0 for none

    # Reversed gradients
    config.lambda1_max = 1.0  # from the dataset classifier to the ResNet
    config.lambda2_max = 1.0  # from the dataset classifier to the label extractor
    config.lambda_schedule = 'linear'  # from 0 to the maximum; or 'dann', or 'constant'
    config.lambda_warmup_fraction = 0.0  # share of training before the schedule begins
    config.lambda2_schedule = ()  # lambda_2's own, as ('constant', 0.5), with its warm-up

    # A distance between the sites' features, added to the objective; not in the paper
    config.site_distance = 'none'  # or 'means', 'coral', 'mmd'
    config.site_distance_weight = 1.0  # times lambda_1

    # Options to stabilise the dataset classifier; not in the paper
    config.site_smoothing = 0.0  # environment label smoothing (Zhang et al., 2023)
    config.dataset_classifier_dropout = 0.0
    config.dataset_classifier_rate_factor = 1.0  # times the learning rate

    # Optimisation: warm-up, then a cosine to 0
    config.batch_size = 2048  # over all devices and processes
    config.num_epochs = 120
    config.optimizer = 'sgd'  # a function of optax, as 'adamw', or a dotted path of your own
    config.optimizer_args = {}  # its further arguments, as {'nesterov': True}
    config.learning_rate = 0.1  # for a batch of 256; in proportion for others
    config.momentum = 0.9
    config.weight_decay = 1e-4  # of kernels only
    config.gradient_clip = 0.0  # largest norm of the gradient; 0: any
    config.warmup_epochs = 5.0
    config.weight_average = 0.0  # decay of the average of weights that is evaluated; 0: none

    # Logs and checkpoints
    config.log_every_steps = 20
    config.checkpoint_every_steps = 500
    config.keep_checkpoints = 2  # the latest; the best in validation is kept besides
    config.validate_every_epochs = 1  # where there is validation data
    return config
