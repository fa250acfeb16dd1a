// The picture of the Dirac-GAN's games.
#include <algorithm>

#include "duel/gan/lab/dirac.h"
#include "duel/gan/picture/plot.h"

namespace duel::gan::lab {
namespace {

constexpr int64_t kOrbitSide = 230;
constexpr double kOrbitReach = 1.6;  // what lies further out is not shown

std::vector<std::string> orders_in(const std::vector<DiracRow>& rows) {
  std::vector<std::string> names;
  for (const DiracRow& row : rows)
    if (std::find(names.begin(), names.end(), row.order.name) == names.end()) names.push_back(row.order.name);
  return names;
}

Canvas orbit_legend(const std::vector<std::string>& orders) {
  Canvas canvas(kOrbitSide, kOrbitSide);
  canvas.text(10, 12, "psi across, theta upwards", {0, 0, 0});
  canvas.text(10, 26, message("the first {} iterations", static_cast<int64_t>(kDiracPath)), {0, 0, 0});
  for (size_t i = 0; i < orders.size(); ++i) {
    const auto y = static_cast<double>(54 + 22 * i);
    canvas.line(10, y, 40, y, series_color(i), 3);
    canvas.text(50, static_cast<int64_t>(y) - 4, orders[i], {0, 0, 0});
  }
  return canvas;
}

}  // namespace

Canvas dirac_orbits(const std::vector<DiracRow>& rows) {
  DUEL_CHECK(!rows.empty(), "lab", "dirac_orbits: expected at least one game");
  const std::vector<std::string> orders = orders_in(rows);
  std::vector<Canvas> panels{orbit_legend(orders)};
  for (size_t begin = 0, end; begin < rows.size(); begin = end) {
    const std::string& objective = rows[begin].objective;
    Plot plot({.title = objective,
               .width = kOrbitSide,
               .height = kOrbitSide,
               .x_range = Range{-kOrbitReach, kOrbitReach},
               .y_range = Range{-kOrbitReach, kOrbitReach},
               .equal_axes = true});
    plot.horizontal(0, {.color = Color{150, 150, 150}});
    plot.vertical(0, {.color = Color{150, 150, 150}});
    for (end = begin; end < rows.size() && rows[end].objective == objective; ++end) {
      std::vector<double> psi, theta;
      for (const DiracPoint& p : rows[end].run.path) {
        psi.push_back(p.psi);
        theta.push_back(p.theta);
      }
      const auto place = std::find(orders.begin(), orders.end(), rows[end].order.name) - orders.begin();
      const Color color = series_color(static_cast<size_t>(place));
      plot.line(psi, theta, {.color = color});
      plot.scatter({psi.back()}, {theta.back()}, {.color = color, .radius = 3});
    }
    panels.push_back(plot.draw());
  }
  return tile(panels, 6, 4);
}

}  // namespace duel::gan::lab
