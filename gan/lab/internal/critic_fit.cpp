#include "duel/gan/lab/internal/critic_fit.h"

#include <numeric>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/train/trainer.h"
#include "duel/nn/layers.h"

namespace duel::gan::lab {
namespace {

// Of a seed, beside the streams that a Trainer has.
constexpr uint64_t kDrawStream = 101;

}  // namespace

std::shared_ptr<nn::Sequential> dense_critic(const std::vector<int64_t>& widths, Generator& random,
                                             double slope) {
  DUEL_CHECK(widths.size() >= 2, "lab", "a critic: expected at least two widths, got {}", widths.size());
  const LendDefaultGenerator lent(random);
  auto net = std::make_shared<nn::Sequential>();
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    if (i > 0 && slope > 0)
      net->push_back(nn::LeakyReLU(slope));
    else if (i > 0)
      net->push_back(nn::ReLU());
    net->push_back(nn::Linear(widths[i], widths[i + 1]));
  }
  return net;
}

bool fit_critic(const std::shared_ptr<nn::Module>& critic, const Objective& objective, const CriticFit& fit,
                const std::function<CriticBatch(Generator&)>& draw, LabObserver& observer) {
  Generator random(fit.seed, kDrawStream);
  CriticBatch batch = draw(random);
  Networks networks;
  networks.generator = std::make_shared<nn::Linear>(1, 1);  // is asked for nothing
  networks.discriminator = critic;
  Trainer trainer(std::move(networks), objective, nullptr, {.batch = batch.real.dim(0), .seed = fit.seed});
  for (int64_t step = 0; step < fit.steps; ++step) {
    if (observer.stop()) return false;
    trainer.begin_iteration(step);
    trainer.critic_step(batch.real, batch.fake);
    if (fit.after) fit.after(step + 1);
    observer.stepped();
    batch = draw(random);
  }
  return true;
}

std::vector<double> outputs_at(nn::Module& critic, const Tensor& points) {
  const NoGrad looking;
  const nn::EvalMode mode(critic);
  return critic(points).to_vector<double>();
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace duel::gan::lab
