// einsum as permutations around one batched matrix product.
#include "duel/core/ops/linear/einsum.h"

#include <algorithm>
#include <string>

#include "duel/core/ops/linear/matmul.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/kernels/base/error.h"

namespace duel {
namespace {

bool has(const std::string& letters, char letter) { return letters.find(letter) != std::string::npos; }

struct Equation {
  std::vector<std::string> operands;
  std::string result;
};

Equation parse(std::string_view text, size_t operands) {
  std::string plain;
  std::copy_if(text.begin(), text.end(), std::back_inserter(plain), [](char c) { return c != ' '; });
  Equation equation;
  const size_t arrow = plain.find("->");
  std::string left = plain.substr(0, arrow);
  for (size_t begin = 0; begin <= left.size();) {
    const size_t end = std::min(left.find(',', begin), left.size());
    equation.operands.push_back(left.substr(begin, end - begin));
    begin = end + 1;
  }
  DUEL_CHECK(equation.operands.size() == operands && (operands == 1 || operands == 2), "einsum",
             "expected one or two operands, one for each part of \"{}\", got {}", std::string(text),
             operands);
  std::string all;
  for (const std::string& letters : equation.operands) {
    for (size_t i = 0; i < letters.size(); ++i) {
      DUEL_CHECK((letters[i] >= 'a' && letters[i] <= 'z') || (letters[i] >= 'A' && letters[i] <= 'Z'),
                 "einsum", "expected letters, got '{}' in \"{}\"", std::string(1, letters[i]),
                 std::string(text));
      DUEL_CHECK(letters.find(letters[i], i + 1) == std::string::npos, "einsum",
                 "'{}' stands twice in one operand of \"{}\": diagonals are not read",
                 std::string(1, letters[i]), std::string(text));
    }
    all += letters;
  }
  if (arrow != std::string::npos) {
    equation.result = plain.substr(arrow + 2);
  } else {
    for (char letter : all) {
      if (std::count(all.begin(), all.end(), letter) == 1) equation.result += letter;
    }
    std::sort(equation.result.begin(), equation.result.end());
  }
  for (size_t i = 0; i < equation.result.size(); ++i) {
    DUEL_CHECK(
        has(all, equation.result[i]) && equation.result.find(equation.result[i], i + 1) == std::string::npos,
        "einsum", "expected each letter of the result once and in an operand, got '{}' in \"{}\"",
        std::string(1, equation.result[i]), std::string(text));
  }
  return equation;
}

/// x with the axes named `letters` in the order `wanted`, which names all of them.
Tensor ordered(const Tensor& x, const std::string& letters, const std::string& wanted) {
  if (letters == wanted) return x;
  std::vector<int> order;
  for (char letter : wanted) order.push_back(static_cast<int>(letters.find(letter)));
  return permute(x, order);
}

/// Sums over the axes whose letters are in none of `kept`; the letters go from `letters`.
Tensor summed(const Tensor& x, std::string& letters, const std::string& kept) {
  std::vector<int> axes;
  std::string left;
  for (size_t i = 0; i < letters.size(); ++i) {
    if (has(kept, letters[i])) {
      left += letters[i];
    } else {
      axes.push_back(static_cast<int>(i));
    }
  }
  letters = left;
  return axes.empty() ? x : sum(x, axes);
}

int64_t size_of(const Tensor& x, const std::string& letters, const std::string& of) {
  int64_t product = 1;
  for (char letter : of) product *= x.dim(static_cast<int>(letters.find(letter)));
  return product;
}

}  // namespace

Tensor einsum(std::string_view text, const std::vector<Tensor>& operands) {
  auto [letters, result] = parse(text, operands.size());
  for (size_t i = 0; i < operands.size(); ++i) {
    DUEL_CHECK(operands[i].rank() == static_cast<int>(letters[i].size()), "einsum",
               "expected an operand of {} axes for \"{}\", got {}", letters[i].size(), letters[i],
               to_text(operands[i]));
  }
  if (operands.size() == 1) return ordered(summed(operands[0], letters[0], result), letters[0], result);
  const Tensor a = summed(operands[0], letters[0], letters[1] + result);
  const Tensor b = summed(operands[1], letters[1], letters[0] + result);
  std::string batch, contracted, rows, columns;
  for (char letter : letters[0]) {
    if (!has(letters[1], letter)) {
      rows += letter;
      continue;
    }
    const int64_t of_a = size_of(a, letters[0], {letter}), of_b = size_of(b, letters[1], {letter});
    DUEL_CHECK(of_a == of_b, "einsum", "'{}' has size {} in the first and {} in the second operand of \"{}\"",
               std::string(1, letter), of_a, of_b, std::string(text));
    (has(result, letter) ? batch : contracted) += letter;
  }
  for (char letter : letters[1]) {
    if (!has(letters[0], letter)) columns += letter;
  }
  const int64_t n = size_of(a, letters[0], batch), k = size_of(a, letters[0], contracted);
  const int64_t r = size_of(a, letters[0], rows), c = size_of(b, letters[1], columns);
  const Tensor left = ordered(a, letters[0], batch + rows + contracted);
  const Tensor right = ordered(b, letters[1], batch + contracted + columns);
  const Tensor product = batch.empty() ? matmul(left.reshape({r, k}), right.reshape({k, c}))
                                       : bmm(left.reshape({n, r, k}), right.reshape({n, k, c}));
  std::vector<int64_t> sizes;
  for (char letter : batch + rows + columns) {
    const bool first = has(letters[0], letter);
    sizes.push_back(size_of(first ? a : b, letters[first ? 0 : 1], {letter}));
  }
  return ordered(product.reshape(Shape(sizes)), batch + rows + columns, result);
}

}  // namespace duel
