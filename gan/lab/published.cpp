// What the papers report. Their protocols differ, which is why the same "GAN" finds 1 mode of the ring in one
// table and 6.3 in the other.
#include "duel/gan/lab/table.h"

namespace duel::gan::lab {

std::vector<Published> published_results(const std::string& mixture) {
  const std::string pacgan = "PacGAN, Table 1 (Lin et al. 2018, arXiv:1712.04086)";
  const std::string pacgan_protocol =
      "this protocol with 400,000 steps, 10 trials, mean and standard error; 'GAN' is the non-saturating "
      "loss (ns-gan here)";
  const std::string veegan = "VEEGAN, Table 1 (Srivastava et al. 2017, arXiv:1705.07761)";
  const std::string veegan_protocol = "networks and training of their own; no reverse KL, no errors reported";
  if (mixture == "ring") {
    return {{pacgan,
             pacgan_protocol,
             {{"GAN", 6.3, 0.5, 98.2, 0.2, 0.45, 0.09},
              {"ALI", 6.6, 0.3, 97.6, 0.4, 0.36, 0.04},
              {"PacGAN2", 7.9, 0.1, 95.6, 2.0, 0.07, 0.03},
              {"PacGAN3", 7.8, 0.1, 97.7, 0.3, 0.10, 0.02},
              {"PacGAN4", 7.8, 0.1, 95.9, 1.4, 0.07, 0.02}}},
            {veegan,
             veegan_protocol,
             {{"GAN", 1, 0, 99.3},
              {"ALI", 2.8, 0, 0.13},
              {"Unrolled GAN", 7.6, 0, 35.6},
              {"VEEGAN", 8, 0, 52.9}}}};
  }
  return {{pacgan,
           pacgan_protocol,
           {{"GAN", 17.3, 0.8, 94.8, 0.7, 0.70, 0.07},
            {"ALI", 24.1, 0.4, 95.7, 0.6, 0.14, 0.03},
            {"PacGAN2", 23.8, 0.7, 91.3, 0.8, 0.13, 0.04},
            {"PacGAN3", 24.6, 0.4, 94.2, 0.4, 0.06, 0.02},
            {"PacGAN4", 24.8, 0.2, 93.6, 0.6, 0.04, 0.01}}},
          {veegan,
           veegan_protocol,
           {{"GAN", 3.3, 0, 0.5},
            {"ALI", 15.8, 0, 1.6},
            {"Unrolled GAN", 23.6, 0, 16},
            {"VEEGAN", 24.6, 0, 40}}}};
}

}  // namespace duel::gan::lab
