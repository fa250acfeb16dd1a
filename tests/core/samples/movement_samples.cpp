// Samples of core/ops/map/movement.h (and of reshape and flatten, members of Tensor).
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/movement.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

using Index = std::vector<int64_t>;

using reference::at;
using reference::filled;

std::vector<OpSample> permute_samples() {
  struct Case {
    Shape shape;
    std::vector<int> order;
  };
  std::vector<OpSample> samples;
  for (const auto& [shape, order] :
       {Case{{}, {}}, Case{{7}, {0}}, Case{{3, 5}, {1, 0}}, Case{{2, 3, 4}, {1, 2, 0}},
        Case{{2, 3, 4}, {-1, 0, 1}}, Case{{2, 3, 2, 2}, {0, 2, 3, 1}}, Case{{1, 3, 1, 2, 2}, {4, 1, 0, 3, 2}},
        Case{{0, 3}, {1, 0}}}) {
    std::string text;
    for (int axis : order) text += message(" {}", axis);
    samples.push_back({.label = to_text(shape) + " by" + text,
                       .inputs = {{.shape = shape}},
                       .apply = [order = order](const Tensors& x) { return permute(x[0], order); },
                       .reference =
                           [order = order](const Arrays& x) {
                             const int rank = x[0].shape.rank();
                             const auto source = [&](size_t i) {
                               return static_cast<size_t>((order[i] + rank) % rank);
                             };
                             Index sizes(order.size());
                             for (size_t i = 0; i < sizes.size(); ++i)
                               sizes[i] = x[0].shape[static_cast<int>(source(i))];
                             return filled(Shape(sizes), [&](const Index& index) {
                               Index from(index.size());
                               for (size_t i = 0; i < index.size(); ++i) from[source(i)] = index[i];
                               return at(x[0], from);
                             });
                           }});
  }
  samples.push_back(
      {.label = "transpose 2x3x4 last two",
       .inputs = {{.shape = {2, 3, 4}}},
       .apply = [](const Tensors& x) { return transpose(x[0]); },
       .reference =
           [](const Arrays& x) {
             return filled({2, 4, 3}, [&](const Index& i) { return at(x[0], {i[0], i[2], i[1]}); });
           }});
  return samples;
}

struct Range {
  Shape shape;
  int axis;
  int64_t first, second;  // begin and end of a slice; before and after of a pad
};

std::vector<OpSample> slice_samples() {
  std::vector<OpSample> samples;
  for (const Range& c :
       {Range{{7}, 0, 2, 5}, Range{{3, 4}, 0, 1, 3}, Range{{3, 4}, 1, 0, 2}, Range{{3, 4}, -1, 3, 4},
        Range{{2, 3, 2, 2}, 1, 1, 2}, Range{{2, 3, 3, 1, 2}, 2, 1, 3}, Range{{3, 2}, 0, 0, 3},
        Range{{3, 2}, 1, 1, 1}, Range{{3, 2}, 0, 3, 3}, Range{{0, 3}, 1, 1, 2}}) {
    samples.push_back({.label = message("{} axis {} from {} to {}", c.shape, c.axis, c.first, c.second),
                       .inputs = {{.shape = c.shape}},
                       .apply = [c](const Tensors& x) { return slice(x[0], c.axis, c.first, c.second); },
                       .reference =
                           [c](const Arrays& x) {
                             const int axis = c.axis < 0 ? c.axis + c.shape.rank() : c.axis;
                             return filled(c.shape.with(axis, c.second - c.first), [&](Index index) {
                               index[static_cast<size_t>(axis)] += c.first;
                               return at(x[0], index);
                             });
                           }});
  }
  return samples;
}

std::vector<OpSample> rows_samples() {
  std::vector<OpSample> samples;
  for (const Range& c : {Range{{7}, 0, 2, 5}, Range{{3, 4}, 0, 1, 3}, Range{{3, 2}, 0, 0, 3},
                         Range{{2, 3, 2, 2}, 0, 1, 2}, Range{{3, 2}, 0, 3, 3}}) {
    samples.push_back({.label = message("{} from {} to {}", c.shape, c.first, c.second),
                       .inputs = {{.shape = c.shape}},
                       .apply = [c](const Tensors& x) { return square(rows(x[0], c.first, c.second)); },
                       .reference =
                           [c](const Arrays& x) {
                             return filled(c.shape.with(0, c.second - c.first), [&](Index index) {
                               index[0] += c.first;
                               return at(x[0], index) * at(x[0], index);
                             });
                           }});
  }
  return samples;
}

/// clone() and to(): copies that gradients pass, at every order.
template <class Copy>
std::vector<OpSample> copy_samples(Copy copy) {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 3}, Shape{2, 1, 2, 3, 1}, Shape{0, 3}}) {
    samples.push_back(
        {.label = to_text(shape),
         .inputs = {{.shape = shape}},
         .apply = [copy](const Tensors& x) { return square(copy(x[0])); },
         .reference = [](const Arrays& x) { return reference::map(x[0], [](double v) { return v * v; }); }});
  }
  return samples;
}

std::vector<OpSample> clone_samples() {
  return copy_samples([](const Tensor& x) { return x.clone(); });
}
std::vector<OpSample> to_samples() {
  return copy_samples([](const Tensor& x) { return x.to(x.dtype()); });
}

std::vector<OpSample> pad_samples() {
  std::vector<OpSample> samples;
  for (const Range& c : {Range{{5}, 0, 2, 1}, Range{{3, 4}, 0, 1, 0}, Range{{3, 4}, 1, 0, 3},
                         Range{{2, 3, 2, 2}, 1, 1, 2}, Range{{2, 1, 2, 2, 2}, -2, 1, 1},
                         Range{{3, 2}, 0, 0, 0}, Range{{0, 2}, 0, 1, 1}, Range{{2, 0}, 0, 1, 0}}) {
    samples.push_back({.label = message("{} axis {} by {} and {}", c.shape, c.axis, c.first, c.second),
                       .inputs = {{.shape = c.shape}},
                       .apply = [c](const Tensors& x) { return pad(x[0], c.axis, c.first, c.second); },
                       .reference =
                           [c](const Arrays& x) {
                             const int axis = c.axis < 0 ? c.axis + c.shape.rank() : c.axis;
                             const int64_t size = c.shape[axis];
                             return filled(c.shape.with(axis, c.first + size + c.second), [&](Index index) {
                               int64_t& place = index[static_cast<size_t>(axis)];
                               place -= c.first;
                               return place < 0 || place >= size ? 0.0 : at(x[0], index);
                             });
                           }});
  }
  return samples;
}

std::vector<OpSample> concat_samples() {
  struct Case {
    std::vector<Shape> shapes;
    int axis;
  };
  std::vector<OpSample> samples;
  for (const auto& [shapes, axis] :
       {Case{{{3}, {2}}, 0}, Case{{{2, 3}, {1, 3}, {4, 3}}, 0}, Case{{{2, 3}, {2, 1}}, 1},
        Case{{{2, 1, 2, 2}, {2, 3, 2, 2}}, 1}, Case{{{2, 2, 1}, {2, 2, 3}}, -1}, Case{{{5, 1}}, 0},
        Case{{{0, 2}, {3, 2}}, 0},
        Case{{{1, 2}, {2, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {3, 2}}, 0},
        Case{{{2, 0}, {2, 0}}, 1}, Case{{{1, 2, 1, 2, 2}, {1, 2, 2, 2, 2}}, 2}}) {
    OpSample sample{.label = message("axis {}", axis),
                    .inputs = {},
                    .apply = [axis = axis](const Tensors& x) { return concat(x, axis); },
                    .reference =
                        [axis = axis](const Arrays& x) {
                          const int along = axis < 0 ? axis + x[0].shape.rank() : axis;
                          int64_t size = 0;
                          for (const Array& part : x) size += part.shape[along];
                          return filled(x[0].shape.with(along, size), [&](Index index) {
                            int64_t& place = index[static_cast<size_t>(along)];
                            size_t part = 0;
                            for (; place >= x[part].shape[along]; ++part) place -= x[part].shape[along];
                            return at(x[part], index);
                          });
                        }};
    for (const Shape& shape : shapes) {
      sample.label += message(" {}", shape);
      sample.inputs.push_back({.shape = shape});
    }
    samples.push_back(sample);
  }
  return samples;
}

std::vector<OpSample> stack_samples() {
  struct Case {
    Shape shape;
    int count, axis;
  };
  std::vector<OpSample> samples;
  for (const auto& [shape, count, axis] :
       {Case{{}, 3, 0}, Case{{4}, 2, 0}, Case{{4}, 2, 1}, Case{{2, 3}, 3, -1}, Case{{2, 1, 3, 2}, 2, 1},
        Case{{0, 2}, 2, 0}}) {
    samples.push_back(
        {.label = message("{} of {} axis {}", count, shape, axis),
         .inputs = std::vector<OpInput>(static_cast<size_t>(count), {.shape = shape}),
         .apply = [axis = axis](const Tensors& x) { return stack(x, axis); },
         .reference =
             [axis = axis](const Arrays& x) {
               const int along = axis < 0 ? axis + x[0].shape.rank() + 1 : axis;
               return filled(x[0].shape.inserted(along, static_cast<int64_t>(x.size())), [&](Index index) {
                 const auto part = static_cast<size_t>(index[static_cast<size_t>(along)]);
                 index.erase(index.begin() + along);
                 return at(x[part], index);
               });
             }});
  }
  return samples;
}

std::vector<OpSample> gather_samples() {
  struct Case {
    Shape shape;
    int64_t count;
  };
  std::vector<OpSample> samples;
  // More picks than rows: some rows come twice, so their gradients add up.
  for (const auto& [shape, count] : {Case{{5}, 3}, Case{{4, 3}, 7}, Case{{1, 2}, 3}, Case{{3, 2, 2}, 4},
                                     Case{{3, 2}, 0}, Case{{3, 0}, 2}}) {
    samples.push_back(
        {.label = message("{} rows of {}", count, shape),
         .inputs = {{.shape = shape},
                    {.shape = {count}, .low = 0, .high = static_cast<double>(shape[0]), .index = true}},
         .apply = [](const Tensors& x) { return gather(x[0], x[1]); },
         .reference =
             [](const Arrays& x) {
               return filled(x[0].shape.with(0, x[1].shape[0]), [&](Index index) {
                 index[0] = static_cast<int64_t>(x[1].values[static_cast<size_t>(index[0])]);
                 return at(x[0], index);
               });
             }});
  }
  return samples;
}

std::vector<OpSample> scatter_add_samples() {
  struct Case {
    Shape shape;
    int64_t rows;
  };
  std::vector<OpSample> samples;
  for (const auto& [shape, rows] : {Case{{5}, 3}, Case{{7, 3}, 4}, Case{{2, 2}, 5}, Case{{4, 2, 2}, 1},
                                    Case{{0, 2}, 3}, Case{{3, 0}, 2}}) {
    samples.push_back(
        {.label = message("{} to {} rows", shape, rows),
         .inputs = {{.shape = shape},
                    {.shape = {shape[0]}, .low = 0, .high = static_cast<double>(rows), .index = true}},
         .apply = [rows = rows](const Tensors& x) { return scatter_add(x[0], x[1], rows); },
         .reference =
             [rows = rows](const Arrays& x) {
               Array y = filled(x[0].shape.with(0, rows), [](const Index&) { return 0.0; });
               for (int64_t i = 0; i < x[0].shape.numel(); ++i) {
                 Index index = reference::unravel(x[0].shape, i);
                 index[0] = static_cast<int64_t>(x[1].values[static_cast<size_t>(index[0])]);
                 y.values[static_cast<size_t>(reference::ravel(y.shape, index))] +=
                     x[0].values[static_cast<size_t>(i)];
               }
               return y;
             }});
  }
  return samples;
}

std::vector<OpSample> reshape_samples() {
  struct Pair {
    Shape from, to;
  };
  std::vector<OpSample> samples;
  for (const auto& [from, to] : {Pair{{}, {1, 1}}, Pair{{6}, {2, 3}}, Pair{{2, 3, 4}, {4, 6}},
                                 Pair{{2, 1, 3, 2, 1}, {12}}, Pair{{0, 4}, {2, 0}}}) {
    // The product makes the gradient depend on the values, so that a wrong order is seen.
    samples.push_back({.label = message("{} to {}", from, to),
                       .inputs = {{.shape = from}},
                       .apply = [to = to](const Tensors& x) { return square(x[0].reshape(to)); },
                       .reference =
                           [to = to](const Arrays& x) {
                             Array y = reference::map(x[0], [](double v) { return v * v; });
                             y.shape = to;
                             return y;
                           }});
  }
  return samples;
}

const RegisterOp permute_registered("permute", permute_samples);
const RegisterOp slice_registered("slice", slice_samples);
const RegisterOp rows_registered("rows", rows_samples);
const RegisterOp clone_registered("clone", clone_samples);
const RegisterOp to_registered("to", to_samples);
const RegisterOp pad_registered("pad", pad_samples);
const RegisterOp concat_registered("concat", concat_samples);
const RegisterOp stack_registered("stack", stack_samples);
const RegisterOp gather_registered("gather", gather_samples);
const RegisterOp scatter_add_registered("scatter_add", scatter_add_samples);
const RegisterOp reshape_registered("reshape", reshape_samples);

}  // namespace
}  // namespace duel
