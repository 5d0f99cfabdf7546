# The public names, once: lazy_loader reads this file, and so do type checkers and editors.
# A new public name is one line here; the reference finds its page by itself.

from . import origins as origins, presets as presets
from .answers.comparison import Comparison as Comparison
from .comparison import compare as compare
from .core.activations import (
    ELU as ELU,
    GELU as GELU,
    SELU as SELU,
    Activation as Activation,
    Exp as Exp,
    GELUTanh as GELUTanh,
    HardSigmoid as HardSigmoid,
    Identity as Identity,
    LeakyReLU as LeakyReLU,
    LogSoftmax as LogSoftmax,
    Mish as Mish,
    ReLU as ReLU,
    Sections as Sections,
    Sigmoid as Sigmoid,
    SiLU as SiLU,
    Softmax as Softmax,
    Softplus as Softplus,
    Tanh as Tanh,
)
from .core.bags import Bags as Bags
from .core.initializers import (
    Constant as Constant,
    GlorotNormal as GlorotNormal,
    GlorotUniform as GlorotUniform,
    HeNormal as HeNormal,
    HeUniform as HeUniform,
    Initializer as Initializer,
    LeCunNormal as LeCunNormal,
    LeCunUniform as LeCunUniform,
    Ones as Ones,
    Orthogonal as Orthogonal,
    SmallRandom as SmallRandom,
    Zeros as Zeros,
)
from .core.inputs import (
    BagInput as BagInput,
    Input as Input,
    IntegerInput as IntegerInput,
    NumberInput as NumberInput,
)
from .core.layers import (
    Activate as Activate,
    AveragePool2D as AveragePool2D,
    BatchNormalization as BatchNormalization,
    Conv1D as Conv1D,
    Conv2D as Conv2D,
    Crop2D as Crop2D,
    Dense as Dense,
    DepthwiseConv2D as DepthwiseConv2D,
    Dropout as Dropout,
    Embedding as Embedding,
    EmbeddingBag as EmbeddingBag,
    Flatten as Flatten,
    GlobalAveragePool as GlobalAveragePool,
    GlobalMaxPool as GlobalMaxPool,
    GroupNormalization as GroupNormalization,
    Layer as Layer,
    LayerNormalization as LayerNormalization,
    MaxPool2D as MaxPool2D,
    Mixture as Mixture,
    Parallel as Parallel,
    PiecewiseLinear as PiecewiseLinear,
    Reshape as Reshape,
    Residual as Residual,
    SeparableConv2D as SeparableConv2D,
    SpatialDropout as SpatialDropout,
    TransposedConv2D as TransposedConv2D,
    Upsample2D as Upsample2D,
    ZeroPad2D as ZeroPad2D,
)
from .core.losses import (
    BinaryCrossEntropy as BinaryCrossEntropy,
    CrossEntropy as CrossEntropy,
    Hinge as Hinge,
    Huber as Huber,
    Joint as Joint,
    LogCosh as LogCosh,
    Loss as Loss,
    MeanAbsoluteError as MeanAbsoluteError,
    MeanSquaredError as MeanSquaredError,
    Poisson as Poisson,
    Quantile as Quantile,
)
from .core.regularization import (
    Regularization as Regularization,
)
from .errors import (
    ConfigError as ConfigError,
    DataError as DataError,
    FileError as FileError,
    GanglionError as GanglionError,
    GanglionNotice as GanglionNotice,
    MissingPackageError as MissingPackageError,
    ShapeError as ShapeError,
    TrainingError as TrainingError,
    silence as silence,
)
from .files.checkpoint import checkpoints as checkpoints
from .image_model import (
    ImageModel as ImageModel,
    JointImageModel as JointImageModel,
)
from .images import (
    Augmentation as Augmentation,
)
from .insight import (
    Attribution as Attribution,
    Finding as Finding,
    Health as Health,
    HealthCheck as HealthCheck,
    Surface as Surface,
    Trace as Trace,
    grad_cam as grad_cam,
    occlusion as occlusion,
    plot as plot,
    saliency as saliency,
    surface as surface,
)
from .many import Trained as Trained, train_many as train_many
from .network import (
    Network as Network,
)
from .notebook import Live as Live
from .stepping import Found as Found, Stepper as Stepper, when as when
from .table_model import (
    JointTableModel as JointTableModel,
    TableModel as TableModel,
)
from .table_model.prepared import PreparedTable as PreparedTable
from .tables.reading import (
    ReadOptions as ReadOptions,
)
from .tables.texts import (
    Text as Text,
)
from .training.callbacks import (
    Callback as Callback,
    ProgressBar as ProgressBar,
)
from .training.history import (
    History as History,
)
from .training.optimizers import (
    LBFGS as LBFGS,
    SGD as SGD,
    Adagrad as Adagrad,
    Adam as Adam,
    AdamW as AdamW,
    Lion as Lion,
    Optimizer as Optimizer,
    RMSprop as RMSprop,
    StepOptimizer as StepOptimizer,
)
from .training.schedules import (
    ConstantRate as ConstantRate,
    CosineDecay as CosineDecay,
    ExponentialDecay as ExponentialDecay,
    InverseScaling as InverseScaling,
    OneCycle as OneCycle,
    ReduceOnPlateau as ReduceOnPlateau,
    Schedule as Schedule,
    StepDecay as StepDecay,
)
from .training.snapshot import Snapshot as Snapshot
from .training.stopping import (
    EarlyStopping as EarlyStopping,
    GradientNorm as GradientNorm,
    TargetReached as TargetReached,
    TimeBudget as TimeBudget,
)

__version__: str
