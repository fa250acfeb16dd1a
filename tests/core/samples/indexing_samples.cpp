// Samples of what core/ops/map/movement.h does along an axis, and of x.index({…}).
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/ops/map/creation.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/tensor/indexing.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

using Index = std::vector<int64_t>;
using reference::at;
using reference::filled;

/// One input of a shape, a function of it, and where the result at an index comes from.
OpSample moved(const std::string& label, const Shape& from, const Shape& to,
               std::function<Tensor(const Tensor&)> apply, std::function<Index(const Index&)> source) {
  return {.label = label,
          .inputs = {{.shape = from}},
          .apply = [apply](const Tensors& x) { return square(apply(x[0])); },
          .reference =
              [to, source](const Arrays& x) {
                return filled(to, [&](const Index& i) {
                  const double v = at(x[0], source(i));
                  return v * v;
                });
              }};
}

std::vector<OpSample> flip_samples() {
  std::vector<OpSample> samples;
  const auto add = [&](const Shape& shape, std::vector<int> axes) {
    std::string text;
    for (int axis : axes) text += message(" {}", axis);
    samples.push_back(moved(
        message("{} over{}", shape, text), shape, shape, [axes](const Tensor& x) { return flip(x, axes); },
        [axes, shape](Index i) {
          for (int axis : axes) {
            int64_t& k = i[static_cast<size_t>(axis < 0 ? axis + shape.rank() : axis)];
            k = shape[axis] - 1 - k;
          }
          return i;
        }));
  };
  add({7}, {0});
  add({3, 4}, {0});
  add({3, 4}, {-1});
  add({2, 3, 4}, {0, 2});
  add({2, 3, 4}, {1});
  add({2, 2, 1, 3, 2}, {4, 1, 2});
  add({0, 3}, {0});
  return samples;
}

std::vector<OpSample> index_samples() {
  const Tensor labels = Tensor::from<int64_t>({2, 0, -1, 2}, {4}),
               few = Tensor::from<int64_t>({1, 0}, {2, 1});
  return {
      moved(
          "one number", {3, 4}, {4}, [](const Tensor& x) { return x.index({1}); },
          [](const Index& i) {
            return Index{1, i[0]};
          }),
      moved(
          "number and slice", {3, 4, 5}, {2, 5},
          [](const Tensor& x) {
            return x.index({-1, Slice(1, 3)});
          },
          [](const Index& i) {
            return Index{2, i[0] + 1, i[1]};
          }),
      moved(
          "ellipsis and steps", {2, 3, 5}, {2, 3, 3},
          [](const Tensor& x) {
            return x.index({Ellipsis, Slice(None, None, 2)});
          },
          [](const Index& i) {
            return Index{i[0], i[1], 2 * i[2]};
          }),
      moved(
          "none", {3, 4}, {3, 1, 4},
          [](const Tensor& x) {
            return x.index({Slice(), None});
          },
          [](const Index& i) {
            return Index{i[0], i[2]};
          }),
      moved(
          "negative ends", {6}, {3}, [](const Tensor& x) { return x.index({Slice(-4, -1)}); },
          [](const Index& i) { return Index{i[0] + 2}; }),
      moved(
          "ends beyond", {3}, {2}, [](const Tensor& x) { return x.index({Slice(1, 100)}); },
          [](const Index& i) { return Index{i[0] + 1}; }),
      moved(
          "a tensor", {3, 2}, {4, 2}, [labels](const Tensor& x) { return x.index({labels.to(x.device())}); },
          [](const Index& i) {
            return Index{i[0] == 1 ? 0 : 2, i[1]};
          }),
      moved(
          "a tensor on axis 1", {2, 3, 2}, {2, 4, 2},
          [labels](const Tensor& x) {
            return x.index({Slice(), labels.to(x.device())});
          },
          [](const Index& i) {
            return Index{i[0], i[1] == 1 ? 0 : 2, i[2]};
          }),
      moved(
          "two tensors", {2, 3, 2}, {2, 4, 2},
          [labels, few](const Tensor& x) {
            return x.index({few.to(x.device()), labels.to(x.device())});
          },
          [](const Index& i) {
            return Index{1 - i[0], i[1] == 1 ? 0 : 2, i[2]};
          }),
      moved(
          "two tensors apart", {2, 3, 3}, {2, 4, 3},
          [labels, few](const Tensor& x) {
            return x.index({few.to(x.device()), Slice(), labels.to(x.device())});
          },
          [](const Index& i) {
            return Index{1 - i[0], i[2], i[1] == 1 ? 0 : 2};
          }),
      moved(
          "nothing", {3, 2}, {3, 2}, [](const Tensor& x) { return x.index({}); },
          [](const Index& i) { return i; }),
      moved(
          "row", {3, 2}, {2}, [](const Tensor& x) { return x[-1]; },
          [](const Index& i) {
            return Index{2, i[0]};
          }),
  };
}

std::vector<OpSample> gather_axis_samples() {
  std::vector<OpSample> samples;
  for (const auto& [shape, axis, index] : {std::tuple<Shape, int, Shape>{{4}, 0, {7}},
                                           {{3, 4}, 1, {3, 2}},
                                           {{3, 4}, 0, {5, 4}},
                                           {{2, 3, 4}, 1, {2, 5, 3}},
                                           {{2, 3, 1, 4}, -1, {1, 3, 1, 6}},
                                           {{3, 4}, 1, {3, 0}}}) {
    samples.push_back(
        {.label = message("{} by {} on {}", shape, index, axis),
         .inputs = {{.shape = shape},
                    {.shape = index, .low = 0, .high = static_cast<double>(shape[axis]), .index = true}},
         .apply = [axis = axis](const Tensors& x) { return gather(x[0], axis, x[1]); },
         .reference =
             [axis = axis](const Arrays& x) {
               return filled(x[1].shape, [&](Index i) {
                 const auto row = static_cast<int64_t>(at(x[1], i));
                 i[static_cast<size_t>(axis < 0 ? axis + x[0].shape.rank() : axis)] = row;
                 return at(x[0], i);
               });
             }});
  }
  return samples;
}

std::vector<OpSample> scatter_add_axis_samples() {
  std::vector<OpSample> samples;
  for (const auto& [shape, axis, index] : {std::tuple<Shape, int, Shape>{{4}, 0, {7}},
                                           {{3, 4}, 1, {3, 2}},
                                           {{3, 4}, 0, {5, 4}},
                                           {{2, 3, 4}, 1, {2, 5, 4}},
                                           {{2, 3, 1, 4}, -1, {2, 3, 1, 6}}}) {
    samples.push_back(
        {.label = message("{} by {} on {}", shape, index, axis),
         .inputs = {{.shape = shape},
                    {.shape = index, .low = 0, .high = static_cast<double>(shape[axis]), .index = true},
                    {.shape = index}},
         .apply = [axis = axis](const Tensors& x) { return scatter_add(x[0], axis, x[1], x[2]); },
         .reference =
             [axis = axis](const Arrays& x) {
               Array y = x[0];
               for (int64_t i = 0; i < x[1].shape.numel(); ++i) {
                 Index to = reference::unravel(x[1].shape, i);
                 to[static_cast<size_t>(axis < 0 ? axis + y.shape.rank() : axis)] =
                     static_cast<int64_t>(x[1].values[static_cast<size_t>(i)]);
                 y.values[static_cast<size_t>(reference::ravel(y.shape, to))] +=
                     x[2].values[static_cast<size_t>(i)];
               }
               return y;
             }});
  }
  return samples;
}

std::vector<OpSample> index_select_samples() {
  std::vector<OpSample> samples;
  for (int axis = 0; axis < 4; ++axis) {
    samples.push_back({.label = message("on {}", axis),
                       .inputs = {{.shape = {2, 3, 1, 2}},
                                  {.shape = {5},
                                   .low = 0,
                                   .high = axis == 1   ? 3.
                                           : axis == 2 ? 1.
                                                       : 2.,
                                   .index = true}},
                       .apply = [axis](const Tensors& x) { return index_select(x[0], axis, x[1]); },
                       .reference =
                           [axis](const Arrays& x) {
                             return filled(x[0].shape.with(axis, 5), [&](Index i) {
                               int64_t& k = i[static_cast<size_t>(axis)];
                               k = static_cast<int64_t>(x[1].values[static_cast<size_t>(k)]);
                               return at(x[0], i);
                             });
                           }});
  }
  return samples;
}

std::vector<OpSample> split_samples() {
  const auto joined = [](const std::vector<Tensor>& parts, int axis) {  // turned round, so that the cuts show
    return concat({parts.rbegin(), parts.rend()}, axis);
  };
  return {
      moved(
          "chunks", {7}, {7}, [joined](const Tensor& x) { return joined(chunk(x, 3), 0); },
          [](const Index& i) {
            return Index{i[0] < 1 ? 6 : i[0] < 4 ? i[0] + 2 : i[0] - 4};
          }),
      moved(
          "two chunks of axis 1", {2, 4}, {2, 4},
          [joined](const Tensor& x) { return joined(chunk(x, 2, 1), 1); },
          [](const Index& i) {
            return Index{i[0], (i[1] + 2) % 4};
          }),
      moved(
          "of size 3", {2, 5}, {2, 5}, [joined](const Tensor& x) { return joined(split(x, 3, -1), 1); },
          [](const Index& i) {
            return Index{i[0], i[1] < 2 ? i[1] + 3 : i[1] - 2};
          }),
      moved(
          "of sizes 1 3", {4, 2}, {4, 2},
          [joined](const Tensor& x) {
            return joined(split(x, {1, 3}), 0);
          },
          [](const Index& i) {
            return Index{i[0] < 3 ? i[0] + 1 : 0, i[1]};
          }),
  };
}

std::vector<OpSample> squeeze_samples() {
  return {
      moved(
          "all", {1, 3, 1, 2}, {3, 2}, [](const Tensor& x) { return x.squeeze(); },
          [](const Index& i) {
            return Index{0, i[0], 0, i[1]};
          }),
      moved(
          "one", {3, 1, 2}, {3, 2}, [](const Tensor& x) { return x.squeeze(1); },
          [](const Index& i) {
            return Index{i[0], 0, i[1]};
          }),
      moved(
          "unsqueeze", {3, 2}, {3, 1, 2}, [](const Tensor& x) { return x.unsqueeze(-2); },
          [](const Index& i) {
            return Index{i[0], i[2]};
          }),
      moved(
          "t", {3, 2}, {2, 3}, [](const Tensor& x) { return x.t(); },
          [](const Index& i) {
            return Index{i[1], i[0]};
          }),
      moved(
          "expand", {3, 1}, {2, 3, 4},
          [](const Tensor& x) {
            return x.expand({2, 3, 4});
          },
          [](const Index& i) {
            return Index{i[1], 0};
          }),
  };
}

/// The elements that `keep` takes, `value` elsewhere.
OpSample masked(const std::string& label, const Shape& shape, double value,
                std::function<Tensor(const Tensor&)> apply, std::function<bool(const Index&)> keep) {
  return {.label = label,
          .inputs = {{.shape = shape}},
          .apply = [apply](const Tensors& x) { return apply(x[0]); },
          .reference =
              [shape, value, keep](const Arrays& x) {
                return filled(shape, [&](const Index& i) { return keep(i) ? at(x[0], i) : value; });
              }};
}
std::vector<OpSample> masked_samples() {
  return {
      masked(
          "tril", {3, 4}, 0, [](const Tensor& x) { return tril(x); },
          [](const Index& i) { return i[1] <= i[0]; }),
      masked(
          "tril above", {2, 3, 3}, 0, [](const Tensor& x) { return tril(x, 1); },
          [](const Index& i) { return i[2] <= i[1] + 1; }),
      masked(
          "triu", {3, 4}, 0, [](const Tensor& x) { return triu(x); },
          [](const Index& i) { return i[1] >= i[0]; }),
      masked(
          "triu below", {4, 3}, 0, [](const Tensor& x) { return triu(x, -1); },
          [](const Index& i) { return i[1] >= i[0] - 1; }),
      masked(
          "fill", {2, 3}, -7.5,
          [](const Tensor& x) {
            return x.masked_fill(eye(2, 3, {DType::u8, x.device()}), -7.5);
          },
          [](const Index& i) { return i[0] != i[1]; }),
  };
}

std::vector<OpSample> pads_samples() {
  const auto padded = [](const std::string& label, const Shape& shape, std::vector<int64_t> pads,
                         double value) {
    Shape to = shape;
    for (size_t i = 0; i < pads.size(); i += 2)
      to = to.with(-1 - static_cast<int>(i / 2), shape[-1 - static_cast<int>(i / 2)] + pads[i] + pads[i + 1]);
    return OpSample{.label = label,
                    .inputs = {{.shape = shape}},
                    .apply = [pads, value](const Tensors& x) { return pad(x[0], pads, value); },
                    .reference =
                        [=](const Arrays& x) {
                          return filled(to, [&](Index i) {
                            for (size_t k = 0; k < pads.size(); k += 2) {
                              int64_t& place = i[i.size() - 1 - k / 2];
                              place -= pads[k];
                              if (place < 0 || place >= shape[-1 - static_cast<int>(k / 2)]) return value;
                            }
                            return at(x[0], i);
                          });
                        }};
  };
  return {padded("row", {4}, {1, 2}, 0.0), padded("image", {1, 2, 2, 3}, {1, 0, 2, 1}, -1.5),
          padded("height alone", {2, 3}, {0, 0, 1, 1}, 2.0), padded("nothing", {3}, {0, 0}, 9.0)};
}

const RegisterOp flip_registered("flip", flip_samples);
const RegisterOp index_registered("index", index_samples);
const RegisterOp gather_axis_registered("gather_axis", gather_axis_samples);
const RegisterOp scatter_add_axis_registered("scatter_add_axis", scatter_add_axis_samples);
const RegisterOp index_select_registered("index_select", index_select_samples);
const RegisterOp split_registered("split", split_samples);
const RegisterOp squeeze_registered("squeeze", squeeze_samples);
const RegisterOp masked_registered("masked", masked_samples);
const RegisterOp pads_registered("pads", pads_samples);

}  // namespace
}  // namespace duel
