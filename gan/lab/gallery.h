// The grid of grids: every objective trained on the same digits with the same network, its samples after
// several numbers of steps, and what a classifier trained on real digits reads in them, beside what it reads
// in real digits that it never saw.
//
// A row that lies finished in the folder is taken from there, so an interrupted gallery goes on where it
// stopped, and so is the trained classifier; where no row is missing, neither images nor classifier are
// needed. Several rows are trained at once, each on one thread, and several processes with the same request share
// them; the same request gives the same bits whatever runs beside. The classifier each process trains for itself
// where none is there yet.
//
// Example:
//   LabObserver quiet;
//   make_gallery({.objectives = {"ns-gan", "wgan-gp"}, .out = "gallery"}, quiet);
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "duel/gan/lab/observer.h"
#include "duel/gan/record/run_config.h"

namespace duel::gan::lab {

struct GalleryRequest {
  std::vector<std::string> objectives = {};             // empty: all of them
  std::vector<int64_t> steps = {250, 500, 1000, 2000};  // rising iterations at which samples are taken
  // network, data, batch and seed of every row; objective and steps do not count
  RunConfig config = {};
  int64_t shown = 16;    // samples per cell, in rows of 8
  int64_t judged = 512;  // samples that the classifier reads per cell
  // gallery.png, gallery.md, gallery.json, judge.safetensors, runs/NAME.json and .safetensors
  std::filesystem::path out = {};
};

struct GalleryCell {
  int64_t step = 0;
  double confident = 0;  // share of samples of which the classifier is at least 90 % sure
  int64_t classes = 0;   // classes among those samples, each at least once in a hundred
};

struct GalleryRow {
  std::string objective;
  std::string failure;  // why training stopped early; empty
  double seconds = 0;
  std::vector<GalleryCell> cells;
};

struct GalleryOutcome {
  std::vector<GalleryRow> rows;   // finished ones, as the request orders them
  bool complete = true;           // that is all of them
  std::vector<std::string> held;  // where not: rows that other processes train, with who does
};

/// Trains what is missing and no other process trains, until the observer stops it, and writes all files anew. The
/// observer hears of every epoch of the classifier. Error where a row in the folder was made with another request:
/// choose another folder.
GalleryOutcome make_gallery(const GalleryRequest& request, LabObserver& observer);

}  // namespace duel::gan::lab
