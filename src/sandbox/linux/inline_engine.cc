#include "sandbox/linux/inline_engine.h"

#include <fcntl.h>

#include <utility>

#include "sandbox/linux/memory_file.h"
#include "sandbox/linux/optimised_form.h"

namespace cloister {
namespace {

std::string path_of(const Descriptor& file) {
  return "/proc/self/fd/" + std::to_string(file.number());
}

bool can_write_memory_files() {
  const auto file = make_growing_file();
  if (!file.ok()) return false;
  const Descriptor again(::open(path_of(file.value()).c_str(), O_RDWR | O_CLOEXEC));
  return again.open();
}

/// Not what workers' forms fit: nothing is run on trial here, so that no form was judged.
std::string form_fits(const std::string& runtime) {
  if (runtime.empty() || !can_write_memory_files()) return "";
  return optimised_form_fits(runtime) + " inline";
}

class InlineEngine final : public Engine {
 public:
  InlineEngine(std::unique_ptr<Engine> engine, std::string runtime)
      : engine_(std::move(engine)), fits_(form_fits(runtime)) {}

  Result<std::unique_ptr<LoadedModel>> load(const EngineModel& model) override {
    return engine_->load(model);
  }
  std::string optimises_for() const override { return fits_; }

  Result<PrivateMemory> optimise(const EngineModel& model) override {
    CLOISTER_ASSIGN(const Descriptor output, make_growing_file());
    EngineModel written = model;
    written.write_optimised_to = path_of(output);
    written.prepack = false;  // would only cost memory here
    CLOISTER_TRY(engine_->load(written));
    return read_growing_file(
        output.number(),
        optimised_form_bytes_max(model.bundle->graph.size() + model.weights.size()));
  }

 private:
  const std::unique_ptr<Engine> engine_;
  const std::string fits_;
};

}  // namespace

std::unique_ptr<Engine> make_inline_engine(std::unique_ptr<Engine> engine, std::string runtime) {
  return std::make_unique<InlineEngine>(std::move(engine), std::move(runtime));
}

}  // namespace cloister
