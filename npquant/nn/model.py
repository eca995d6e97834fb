"""The network, 4 of 4: dense layers, each with its activation, as frozen records.

Legend: B batch, K inputs and N outputs of a layer, C outputs of the network; x (B, K), w (K, N), b (N,),
z = x w + b, a = activation(z).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Real
from npquant.nn.activations import activate, check_activation
from npquant.nn.classes import largest_output
from npquant.nn.layer_lines import layer_lines
from npquant.nn.layers import ForwardCache, Parameters, dense_forward, network_backward, network_forward


@dataclass(frozen=True, slots=True, eq=False)
class DenseLayer:
    """Hold one dense layer of a float network.

    Parameters
    ----------
    w : array of float32 or float64, shape (K, N)
        Weights: real values, a column an output neuron.
    b : array of the same dtype, shape (N,)
        Biases.
    activation : str
        What the sums go through, one of `npquant.nn.activations.ACTIVATIONS`: "relu", "tanh", "identity", ...

    Raises
    ------
    TypeError
        If w is not float32 or float64, or b has another dtype.
    ValueError
        If the shapes do not agree, a size is 0, a number is not finite, or the activation is unknown.

    Notes
    -----
    a = activation(x w + b), with x (B, K). Both arrays are copied and read-only; -0 is kept.

    Examples
    --------
    >>> layer = DenseLayer(np.array([[1.0], [-1.0]]), np.array([0.5]), "relu")
    >>> FloatMLP((layer,)).logits([[3.0, 1.0], [1.0, 3.0]]).ravel()
    array([2.5, 0. ])
    """

    w: Real
    b: Real
    activation: str

    def __post_init__(self) -> None:
        w, b = np.array(self.w, order="C"), np.array(self.b, order="C")
        if w.dtype not in (np.float32, np.float64) or b.dtype != w.dtype:
            raise TypeError(f"the weights are {w.dtype} and the bias {b.dtype}; both must be float32 or both float64")
        if w.ndim != 2 or b.shape != w.shape[1:] or 0 in w.shape:
            raise ValueError(f"the weights have shape {w.shape} and the bias {b.shape}; they must be (K, N) and (N,)")
        for name, array in (("weights", w), ("bias", b)):
            if not np.isfinite(array).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                raise ValueError(f"the {name} are {array[where]} at {where}; every number must be finite")
        check_activation(self.activation)
        for name, array in (("w", w), ("b", b)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)


@dataclass(frozen=True, slots=True, eq=False)
class FloatMLP:
    """Hold a float multi-layer perceptron.

    Parameters
    ----------
    layers : sequence of DenseLayer
        In order. The outputs of the last one are what is called logits, behind its activation where it has one: most
        have "identity"; a network that ends in a ReLU, tanh or softplus is held as it is.

    Raises
    ------
    TypeError
        If the layers have different dtypes.
    ValueError
        If there is no layer, or neighbouring shapes do not agree.

    Examples
    --------
    >>> net = FloatMLP([DenseLayer(np.eye(2), np.zeros(2), "relu"), DenseLayer(np.eye(2), np.zeros(2), "identity")])
    >>> net.predict([[1.0, 3.0]])
    array([1])
    """

    layers: tuple[DenseLayer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("the network has no layers; it needs at least one")
        for i, (one, two) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            if one.w.shape[1] != two.w.shape[0]:
                raise ValueError(f"layer {i} has {one.w.shape[1]} outputs but layer {i + 1} takes {two.w.shape[0]}")
            if one.w.dtype != two.w.dtype:
                raise TypeError(f"layer {i} is {one.w.dtype} but layer {i + 1} is {two.w.dtype}")

    def __str__(self) -> str:
        ends = [(*layer.w.shape, layer.activation) for layer in self.layers]
        columns = [(layer.w.nbytes + layer.b.nbytes, layer.w.size) for layer in self.layers]
        return layer_lines(f"FloatMLP of {self.dtype}", ends, ("bytes", "MACs"), columns)

    def __repr__(self) -> str:
        return f"<FloatMLP {'-'.join(map(str, (self.n_inputs, *self.neurons)))}, {self.dtype}>"

    @property
    def n_inputs(self) -> int:
        """K of the first layer."""
        return int(self.layers[0].w.shape[0])

    @property
    def neurons(self) -> tuple[int, ...]:
        """N of each layer."""
        return tuple(int(layer.w.shape[1]) for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one row."""
        return sum(layer.w.size for layer in self.layers)

    @property
    def dtype(self) -> np.dtype[Any]:
        """dtype of the parameters."""
        return self.layers[0].w.dtype

    @property
    def parameters(self) -> Parameters:
        """Weights and bias of each layer."""
        return tuple((layer.w, layer.b) for layer in self.layers)

    @property
    def activation_names(self) -> tuple[str, ...]:
        """Activation of each layer."""
        return tuple(layer.activation for layer in self.layers)

    def forward(self, x: ArrayLike) -> tuple[Real, ForwardCache]:
        """Return logits, and the cache that `backward` takes.

        Parameters
        ----------
        x : array of real numbers, shape (B, K)
            Inputs; computed with in the network's dtype.

        Returns
        -------
        logits : ndarray of float, shape (B, C)
            Outputs a of the last layer.
        cache : ForwardCache
            z and a of every layer among it.

        Raises
        ------
        TypeError
            If x is not real numbers.
        ValueError
            If x has another shape, or a value that is not finite in the network's dtype.

        Examples
        --------
        >>> net = FloatMLP([DenseLayer(np.array([[1.0], [-1.0]]), np.zeros(1), "identity")])
        >>> logits, cache = net.forward([[5.0, 2.0]])
        >>> logits, net.backward(np.ones((1, 1)), cache)[0][0]
        (array([[3.]]), array([[5.],
               [2.]]))
        """
        return network_forward(self._checked(x), self.parameters, self.activation_names)

    def backward(self, dlogits: Real, cache: ForwardCache) -> Parameters:
        """Return the gradients of all weights and biases.

        Parameters
        ----------
        dlogits : ndarray of float, shape (B, C)
            Gradient of a loss by the logits, so behind the last activation.
        cache : ForwardCache
            From `forward`.

        Returns
        -------
        tuple of (dw, db)
            By layer, of the shapes of w and b.

        Notes
        -----
        F3, then F2, from the last layer to the first.

        Examples
        --------
        >>> net = FloatMLP([DenseLayer(np.eye(2), np.zeros(2), "identity")])
        >>> net.backward(np.array([[1.0, -1.0]]), net.forward([[3.0, 4.0]])[1])
        ((array([[ 3., -3.],
               [ 4., -4.]]), array([ 1., -1.])),)
        """
        return network_backward(dlogits, cache, self.activation_names)

    def pre_activations(self, x: ArrayLike) -> tuple[Real, ...]:
        """Return z of every layer.

        Parameters
        ----------
        x : array of real numbers, shape (B, K)
            Inputs; errors as `forward`.

        Returns
        -------
        tuple of ndarray of float, shapes (B, N)
            Pre-activations z = x w + b.

        Examples
        --------
        >>> FloatMLP([DenseLayer(np.eye(2), np.ones(2), "identity")]).pre_activations([[1.0, -3.0]])
        (array([[ 2., -2.]]),)
        """
        return self.forward(x)[1].z

    def activations(self, x: ArrayLike) -> tuple[Real, ...]:
        """Return a of every layer.

        Parameters
        ----------
        x : array of real numbers, shape (B, K)
            Inputs; errors as `forward`.

        Returns
        -------
        tuple of ndarray of float, shapes (B, N)
            Outputs a = activation(z); those of the last layer are the logits.

        Examples
        --------
        >>> layers = [DenseLayer(np.eye(1), np.zeros(1), "relu"), DenseLayer(np.eye(1), np.ones(1), "identity")]
        >>> FloatMLP(layers).activations([[-3.0]])
        (array([[0.]]), array([[1.]]))
        """
        return self.forward(x)[1].a

    def logits(self, x: ArrayLike) -> Real:
        """Return the outputs a of the last layer; the caches that `forward` keeps are not made.

        Parameters
        ----------
        x : array of real numbers, shape (B, K)
            Inputs; errors as `forward`.

        Returns
        -------
        ndarray of float, shape (B, C)
            Logits, in the network's dtype; B = 0 gives no rows.

        Examples
        --------
        >>> FloatMLP([DenseLayer(np.array([[2.0], [3.0]]), np.ones(1), "identity")]).logits([[1.0, 10.0]])
        array([[33.]])
        """
        a = self._checked(x)
        for layer in self.layers:
            a = activate(layer.activation, dense_forward(a, layer.w, layer.b)[0])
        return a

    def predict(self, x: ArrayLike) -> NDArray[np.int64]:
        """Return the class with the largest logit, the lowest index on a tie, as among outputs that a ReLU makes 0.

        Parameters
        ----------
        x : array of real numbers, shape (B, K)
            Inputs; errors as `forward`.

        Returns
        -------
        ndarray of int64, shape (B,)
            Class indices in [0, C).

        Raises
        ------
        ValueError
            As `forward`; also of a network with one output, which may be a regression's value or a binary logit.

        Examples
        --------
        >>> FloatMLP([DenseLayer(np.eye(2), np.zeros(2), "identity")]).predict([[1.0, 3.0], [2.0, 2.0]])
        array([1, 0])
        """
        return largest_output(self.logits(x))

    def _checked(self, x: ArrayLike) -> Real:
        """Return x in the network's dtype, or say what is wrong with it."""
        given = np.asarray(x)
        if given.dtype.kind not in "biuf":
            raise TypeError(f"x has dtype {given.dtype}; it must be real numbers")
        if given.ndim != 2 or given.shape[1] != self.n_inputs:
            raise ValueError(f"x has shape {given.shape}; the network takes (B, {self.n_inputs})")
        with np.errstate(over="ignore", invalid="ignore"):  # of a signalling NaN, which is refused like any other
            values = given.astype(self.dtype, copy=False)
            if not np.isfinite(values).all():
                row, column = np.argwhere(~np.isfinite(values))[0]
                raise ValueError(
                    f"x is {given[row, column]} at row {row}, column {column}, which is {values[row, column]} in "
                    f"{self.dtype}; every input must be finite"
                )
        return values
