#include <string>
#include <utility>
#include <variant>

#include "commands.h"
#include "graph/admission.h"
#include "graph/describe.h"
#include "local_files.h"

namespace cloister {

Result<FoldedModel> open_model(const std::string& path) {
  CLOISTER_ASSIGN(std::unique_ptr<File> model, open_local_file(path));
  CLOISTER_ASSIGN(std::unique_ptr<Files> folder, open_folder_of(path));
  return fold_external_data(std::move(model), std::move(folder));
}

std::string folded_text(const FoldedModel& model) {
  if (model.tensors == 0) return "";
  return "folded in " + std::to_string(model.tensors) + " tensors from " +
         std::to_string(model.data_files) + (model.data_files == 1 ? " file" : " files");
}

Outcome run_check(const Options& options) {
  const auto model = open_model(options.file);
  if (!model.ok()) return ConsoleReport::failed(model.error());
  const AdmissionBudget budget;
  const auto size = model.value().file->size();
  if (!size.ok()) return ConsoleReport::failed(size.error());
  if (size.value() > budget.model_bytes_max) {
    return ConsoleReport::failed(Error{
        Code::too_large, "cli.check",
        Detail(options.file + ": a model has at most " + std::to_string(budget.model_bytes_max) +
               " bytes")});
  }
  ByteVector bytes(size.value());
  if (const Status read = model.value().file->read_at(0, bytes); !read.ok()) {
    return ConsoleReport::failed(read.error());
  }
  const AdmissionVerdict verdict = GraphAdmission(budget).admit(bytes);
  if (options.json) {
    print_line(admission_json(verdict));
  } else {
    if (model.value().tensors != 0) print_line(folded_text(model.value()));
    print_text(printable(describe_admission(verdict)));
  }
  return std::holds_alternative<ValidatedModel>(verdict) ? Outcome::done : Outcome::refused;
}

}  // namespace cloister
