#include "duel/gan/objective/axes/loss_axis.h"

#include "duel/gan/objective/axes/axis_text.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/text.h"

namespace duel::gan::detail {
namespace {

constexpr const char* kAxis = "loss";

struct Parameter {
  const char* name;
  double standard;
  bool (*may_be)(double) = [](double) { return true; };
  const char* expected = "a number";
};

struct LossRow {
  const char* name;
  const char* rates;
  std::vector<Parameter> parameters;
  std::function<Loss(const std::vector<double>&)> make;
  std::function<LossFormula(const std::vector<double>&)> formula;
};

/// D's probability for reals, 1 without smoothing: the range of the setting label-smoothing.
const Parameter kTarget = {"TARGET", 1.0, [](double t) { return t > 0.5 && t <= 1; }, "a number in (0.5, 1]"};

std::string on_reals(double target) {
  return target == 1 ? "softplus(-X)" : message("({} softplus(-X) + (1 - {}) softplus(X))", target, target);
}
std::string square_to(double target, double scale) {
  const std::string distance = target == 0  ? "X^2"
                               : target > 0 ? message("(X - {})^2", target)
                                            : message("(X + {})^2", -target);
  return scale == 1 ? distance : message("{} {}", scale, distance);
}

const std::vector<LossRow>& loss_rows() {
  using V = std::vector<double>;
  static const std::vector<LossRow> rows = {
      {"minimax",
       "gan",
       {kTarget},
       [](const V& v) { return minimax_loss(v[0]); },
       [](const V& v) {
         return LossFormula{on_reals(v[0]), "softplus(X)", "-softplus(X)", "-softplus(-X)"};
       }},
      {"non_saturating",
       "ns-gan",
       {kTarget},
       [](const V& v) { return non_saturating_loss(v[0]); },
       [](const V& v) {
         return LossFormula{on_reals(v[0]), "softplus(X)", "softplus(-X)", "softplus(X)"};
       }},
      {"wasserstein",
       "wgan",
       {},
       [](const V&) { return wasserstein_loss(); },
       [](const V&) {
         return LossFormula{"-X", "X", "-X", "X"};
       }},
      {"least_squares",
       "lsgan",
       {{"A", 0.0},
        {"B", 1.0},
        {"C", 1.0},
        {"SCALE", 0.5, [](double s) { return s > 0; }, "a positive number"}},
       [](const V& v) { return least_squares_loss(v[0], v[1], v[2], v[3]); },
       [](const V& v) {
         return LossFormula{square_to(v[1], v[3]), square_to(v[0], v[3]), square_to(v[2], v[3]),
                            square_to(v[0], v[3])};
       }},
      {"hinge",
       "hinge",
       {},
       [](const V&) { return hinge_loss_pair(); },
       [](const V&) {
         return LossFormula{"relu(1 - X)", "relu(1 + X)", "-X", "X"};
       }},
      {"hinge_margin",
       "hinge-v1",
       {},
       [](const V&) { return hinge_margin_loss(); },
       [](const V&) {
         return LossFormula{"relu(1 - X)", "relu(1 + X)", "relu(1 - X)", "relu(1 + X)"};
       }},
      {"kullback_leibler",
       "fgan-kl",
       {},
       [](const V&) { return divergence_loss(kullback_leibler()); },
       [](const V&) {
         return LossFormula{"-X", "exp(X - 1)", "-X", ""};
       }},
      {"reverse_kullback_leibler",
       "fgan-reverse-kl",
       {},
       [](const V&) { return divergence_loss(reverse_kullback_leibler()); },
       [](const V&) {
         return LossFormula{"exp(-X)", "(X - 1)", "-(X - 1)", ""};
       }},
      {"pearson_chi_squared",
       "fgan-pearson",
       {},
       [](const V&) { return divergence_loss(pearson_chi_squared()); },
       [](const V&) {
         return LossFormula{"-X", "(max(X, -2)^2 / 4 + max(X, -2))", "-X", ""};
       }},
      {"squared_hellinger",
       "fgan-hellinger",
       {},
       [](const V&) { return divergence_loss(squared_hellinger()); },
       [](const V&) {
         return LossFormula{"(exp(-X) - 1)", "(exp(X) - 1)", "(exp(-X) - 1)", ""};
       }},
      {"jensen_shannon",
       "fgan-js",
       {},
       [](const V&) { return divergence_loss(jensen_shannon()); },
       [](const V&) {
         return LossFormula{"(softplus(-X) - log 2)", "(softplus(X) - log 2)", "(softplus(-X) - log 2)", ""};
       }},
      {"alpha_divergence",
       "fgan-alpha",
       {{"ALPHA", 0.5, [](double a) { return a != 0 && a != 1; }, "a number other than 0 and 1"}},
       [](const V& v) { return divergence_loss(alpha_divergence(v[0])); },
       [](const V& v) {
         const std::string a = shortest(v[0]);
         return LossFormula{
             "-g(X)",
             "h(X)",
             "-g(X)",
             "",
             "",
             v[0] > 1 ? message("g(v) = v, h(v) = (max(0, (a - 1) v + 1)^(a / (a - 1)) - 1) / a, a = {}", a)
                      : message("g(v) = 1 / (1 - a) - softplus(-v), "
                                "h(v) = (((1 - a) softplus(-v))^(a / (a - 1)) - 1) / a, a = {}",
                                a)};
       }},
      {"softmax",
       "softmax-gan",
       {},
       [](const V&) { return softmax_loss(); },
       [](const V&) {
         return LossFormula{.whole = "L_D = -mean over real of log p{d};  L_G = -mean over all of log p{g}",
                            .where = "p = softmax of D over both batches"};
       }},
  };
  return rows;
}

/// "(E softplus(-(r - f)))": X replaced; a difference gets parentheses of its own where it has none.
std::string with_logit(const std::string& term, const std::string& logit) {
  std::string text;
  for (size_t i = 0; i < term.size(); ++i) {
    if (term[i] != 'X') {
      text += term[i];
      continue;
    }
    const bool enclosed = i > 0 && term[i - 1] == '(' && i + 1 < term.size() && term[i + 1] == ')';
    text += logit.size() == 1 || enclosed ? logit : "(" + logit + ")";
  }
  return text;
}

/// The sum of two means, "-E r + E f"; the second may be missing.
std::string sum_of(const std::string& first, const std::string& second) {
  const auto mean = [](const std::string& term, const char* plus, const char* minus) {
    if (term.empty()) return std::string();
    return term[0] == '-' ? minus + term.substr(1) : plus + term;
  };
  return mean(first, "E ", "-E ") + mean(second, " + E ", " - E ");
}

std::string marked(std::string text, const std::string& mark, const std::string& by) {
  if (const size_t found = text.find(mark); found != std::string::npos) text.replace(found, mark.size(), by);
  return text;
}

}  // namespace

const std::vector<std::string>& loss_values() {
  static const std::vector<std::string> values = [] {
    std::vector<std::string> all;
    for (const LossRow& row : loss_rows()) {
      std::string parameters;
      for (const Parameter& p : row.parameters)
        parameters += (parameters.empty() ? "" : ",") + std::string(p.name);
      all.push_back(row.name + (parameters.empty() ? "" : "(" + parameters + ")"));
    }
    all.emplace_back("saddle(LOSS)");
    return all;
  }();
  return values;
}

NamedLoss loss_of_text(const char* op, const std::string& text) {
  const Call call = call_of(op, kAxis, text);
  if (call.name == "saddle") {
    DUEL_CHECK(call.arguments.size() == 1 && !call.arguments[0].empty(), op,
               "{}: saddle: expected the loss whose zero-sum game it is, as saddle(minimax), got '{}'", kAxis,
               shown(text));
    const NamedLoss inner = loss_of_text(op, call.arguments[0]);
    LossFormula formula;
    const std::string both = loss_formula(inner.formula, Relativism::none, "{d}", "");
    formula.whole = both.substr(0, both.find(";  L_G")) + ";  L_G = -L_D{g}";
    formula.where = inner.formula.where;
    return {saddle_loss(inner.loss), formula, inner.rates};
  }
  for (const LossRow& row : loss_rows()) {
    if (call.name != row.name) continue;
    const size_t most = row.parameters.size();
    DUEL_CHECK(call.arguments.size() <= most, op, "{}: {}: expected {}, got {} numbers", kAxis, row.name,
               most == 0 ? "no number" : message("at most {}", most), call.arguments.size());
    std::vector<double> values;
    for (size_t i = 0; i < row.parameters.size(); ++i) {
      const Parameter& p = row.parameters[i];
      values.push_back(i < call.arguments.size() ? number_of(op, kAxis, text, call.arguments[i])
                                                 : p.standard);
      DUEL_CHECK(p.may_be(values[i]), op, "{}: {}: {}: expected {}, got {}", kAxis, row.name, p.name,
                 p.expected, values[i]);
    }
    return {row.make(values), row.formula(values), row.rates};
  }
  unknown_value(op, kAxis, call.name, loss_values());
}

std::string loss_formula(const LossFormula& f, Relativism relativism, const std::string& to_d,
                         const std::string& to_g) {
  const std::string where = f.where.empty() ? "" : ";  " + f.where;
  if (!f.whole.empty()) return marked(marked(f.whole, "{d}", to_d), "{g}", to_g) + where;
  std::string d, g;
  switch (relativism) {
    case Relativism::none:
      d = sum_of(with_logit(f.d_real, "r"), with_logit(f.d_fake, "f"));
      g = sum_of(with_logit(f.g_fake, "f"), "");
      break;
    case Relativism::paired:
      d = sum_of(with_logit(f.d_real, "r - f"), "");
      g = sum_of(with_logit(f.g_fake, "f - r"), "");
      break;
    case Relativism::average:
      d = "(" + sum_of(with_logit(f.d_real, "r - E f"), with_logit(f.d_fake, "f - E r")) + ") / 2";
      g = "(" + sum_of(with_logit(f.g_fake, "f - E r"), with_logit(f.g_real, "r - E f")) + ") / 2";
  }
  return "L_D = " + d + to_d + ";  L_G = " + g + to_g + where;
}

}  // namespace duel::gan::detail
