#include "sandbox/linux/inline_engine.h"

#include <utility>

#include "sandbox/linux/memory_file.h"
#include "sandbox/linux/optimised_form.h"

namespace cloister {
namespace {

class InlineEngine final : public Engine {
 public:
  InlineEngine(std::unique_ptr<Engine> engine, std::string runtime)
      : engine_(std::move(engine)), fits_(optimised_form_fits(runtime)) {}

  Result<std::unique_ptr<LoadedModel>> load(const EngineModel& model) override {
    return engine_->load(model);
  }
  std::string optimises_for() const override { return fits_; }

  Result<PrivateMemory> optimise(const EngineModel& model) override {
    CLOISTER_ASSIGN(const Descriptor output, make_growing_file());
    EngineModel written = model;
    written.write_optimised_to = "/proc/self/fd/" + std::to_string(output.number());
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
