#include "graph/onnx/external_data.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>

#include "graph/admission.h"
#include "graph/describe.h"
#include "hostile_models/parts.h"
#include "support/faulty_files.h"

namespace cloister {
namespace {

const std::string kValues = "0123456789abcdefghijklmnopqrstuvwxyz";

/// float32 [4] at `offset` of `location`; a length below zero is left out.
OnnxMessage outside(std::string_view name, std::string_view location, std::string_view offset,
                    int length = 16) {
  OnnxMessage tensor;
  tensor.number(1, 4).number(2, 1).text(8, name);
  const auto entry = [&](std::string_view key, std::string_view value) {
    tensor.message(13, OnnxMessage().text(1, key).text(2, value));
  };
  entry("location", location);
  entry("offset", offset);
  if (length >= 0) entry("length", std::to_string(length));
  return tensor.number(14, 1);
}

OnnxMessage inside(std::string_view name, std::size_t offset) {
  return onnx_tensor(name, OnnxType::f32, {4}, kValues.substr(offset, 16));
}

ByteVector added(const OnnxMessage& tensor) {
  return simple_model({onnx_node("Add", {"x", "w"}, {"y"})}, {tensor});
}

std::unique_ptr<FaultyFiles> folder_with(const ByteVector& model) {
  auto files = std::make_unique<FaultyFiles>();
  files->plant("model.onnx", model);
  files->plant("model.onnx.data", copy_of(bytes_of(kValues)));
  return files;
}

Result<FoldedModel> fold(const ByteVector& model) {
  auto files = folder_with(model);
  auto file = files->open_for_reading("model.onnx").value();
  return fold_external_data(std::move(file), std::move(files));
}

Code refusal(const ByteVector& model) {
  const auto folded = fold(model);
  EXPECT_FALSE(folded.ok());
  return folded.ok() ? Code::internal : folded.error().code;
}

ByteVector content_of(const File& file) {
  ByteVector content(file.size().value());
  EXPECT_TRUE(file.read_at(0, content).ok());
  return content;
}

TEST(FoldExternalData, RefusesEveryPlaceThatIsNotBesideTheModel) {
  for (const char* location : {"../model.onnx.data", "/etc/passwd", "a/model.onnx.data", "", ".",
                               "..", "./model.onnx.data", "*/_ORT_MEM_ADDR_/*"}) {
    EXPECT_EQ(refusal(added(outside("w", location, "0"))), Code::invalid) << location;
  }
  EXPECT_EQ(refusal(added(outside("w", std::string_view("model\0.onnx.data", 16), "0"))),
            Code::invalid);
  EXPECT_EQ(refusal(added(outside("w", "absent", "0"))), Code::not_found);
}

TEST(FoldExternalData, RefusesLinksAndWhatIsNoFile) {
  for (const FileKind kind : {FileKind::link, FileKind::other, FileKind::folder}) {
    auto files = folder_with(added(outside("w", "odd", "0")));
    files->plant_kind("odd", kind);
    auto file = files->open_for_reading("model.onnx").value();
    const auto folded = fold_external_data(std::move(file), std::move(files));
    ASSERT_FALSE(folded.ok());
    EXPECT_EQ(folded.error().code, Code::invalid);
  }
}

TEST(FoldExternalData, RefusesRangesThatAreNotThere) {
  const char* const name = "model.onnx.data";
  for (const auto& [offset, length] : std::initializer_list<std::pair<const char*, int>>{
           {"21", 16}, {"37", -1}, {"18446744073709551615", 16}, {"0", 37}}) {
    EXPECT_EQ(refusal(added(outside("w", name, offset, length))), Code::invalid) << offset;
  }
  for (const char* offset : {"-1", "0x10", " 1", "1 ", "", "18446744073709551616"}) {
    EXPECT_EQ(refusal(added(outside("w", name, offset))), Code::invalid) << offset;
  }
}

TEST(FoldExternalData, RefusesValuesInBothPlaces) {
  OnnxMessage both = outside("w", "model.onnx.data", "0");
  both.text(9, kValues.substr(0, 16));
  EXPECT_EQ(refusal(added(both)), Code::invalid);
}

TEST(FoldExternalData, RefusesMoreThanOneFileHolds) {
  // The same gigabyte again and again: no such file is needed to say so.
  class Endless final : public File {
   public:
    Result<std::uint64_t> size() const override { return 1ULL << 30; }
    Status read_at(std::uint64_t, MutableBytes) const override { return Done{}; }
    Status write_at(std::uint64_t, Bytes) override { return Done{}; }
    Status sync() override { return Done{}; }
  };
  class OneFile final : public Files {
   public:
    Result<std::unique_ptr<File>> open_for_reading(const std::string&) override {
      return std::unique_ptr<File>(std::make_unique<Endless>());
    }
    Result<std::unique_ptr<File>> create(const std::string&) override { return none(); }
    Status rename(const std::string&, const std::string&) override { return none(); }
    Status remove(const std::string&) override { return none(); }
    Status sync_folder(const std::string&) override { return none(); }
    Status make_folder(const std::string&) override { return none(); }
    Result<std::vector<FolderEntry>> list(const std::string&) override { return none(); }
    Result<std::unique_ptr<File>> lock(const std::string&) override { return none(); }

   private:
    static Error none() { return Error{Code::io, "test"}; }
  };
  const OnnxMessage whole = outside("w", "model.onnx.data", "0", -1);
  auto files = folder_with(simple_model({relu("x", "y")}, {whole, whole}));
  auto model = files->open_for_reading("model.onnx").value();
  const auto folded = fold_external_data(std::move(model), std::make_unique<OneFile>());
  ASSERT_FALSE(folded.ok());
  EXPECT_EQ(folded.error().code, Code::too_large);
}

TEST(FoldExternalData, SaysThatAFileChangedMeanwhile) {
  auto files = folder_with(added(outside("w", "model.onnx.data", "0")));
  FaultyFiles& folder = *files;
  auto file = files->open_for_reading("model.onnx").value();
  const auto folded = fold_external_data(std::move(file), std::move(files));
  folder.plant("model.onnx.data", ByteVector(3));
  ByteVector content(folded.value().file->size().value());
  EXPECT_EQ(folded.value().file->read_at(0, content).error().code, Code::io);
}

TEST(FoldExternalData, LeavesAloneWhatHasNothingOutside) {
  for (const ByteVector& model :
       {added(inside("w", 0)), copy_of(bytes_of("no model at all")), ByteVector{}}) {
    const auto folded = fold(model);
    ASSERT_TRUE(folded.ok());
    EXPECT_EQ(folded.value().tensors, 0U);
    EXPECT_EQ(content_of(*folded.value().file), model);
  }
}

TEST(FoldExternalData, PutsTheValuesWhereTheRestOfTheModelIsAsItWas) {
  const auto folded = fold(added(outside("w", "model.onnx.data", "20")));
  ASSERT_TRUE(folded.ok());
  EXPECT_EQ(folded.value().tensors, 1U);
  EXPECT_EQ(folded.value().data_files, 1U);
  EXPECT_EQ(content_of(*folded.value().file), added(inside("w", 20)));
  const auto rest = fold(added(outside("w", "model.onnx.data", "20", -1)));
  EXPECT_EQ(content_of(*rest.value().file), added(inside("w", 20)));
}

TEST(FoldExternalData, ReachesTensorsWhereverTheyHide) {
  const auto model = [](const OnnxMessage& tensor) {
    const OnnxMessage branch =
        onnx_graph({{onnx_node("Identity", {"w"}, {"b"}),
                     onnx_node("Constant", {}, {"c"}, {tensor_attribute_message("value", tensor)})},
                    {tensor},
                    {},
                    {onnx_value("b", OnnxType::f32, {4})}});
    ModelParts parts;
    parts.graph = simple_graph({onnx_node("If", {"go"}, {"y"},
                                          {onnx_graph_attribute("then_branch", branch),
                                           onnx_graph_attribute("else_branch", branch)})},
                               {tensor});
    parts.functions.push_back(
        OnnxMessage().text(1, "f").message(
            7, onnx_node("Constant", {}, {"c"}, {tensor_attribute_message("value", tensor)})));
    return model_bytes(parts);
  };
  const auto folded = fold(model(outside("w", "model.onnx.data", "4")));
  ASSERT_TRUE(folded.ok());
  EXPECT_EQ(folded.value().tensors, 6U);
  EXPECT_EQ(content_of(*folded.value().file), model(inside("w", 4)));
}

TEST(FoldExternalData, ReadsTheSameInAnyPieces) {
  const auto folded = fold(added(outside("w", "model.onnx.data", "3")));
  const File& file = *folded.value().file;
  const ByteVector whole = content_of(file);
  for (std::size_t begin = 0; begin <= whole.size(); ++begin) {
    for (std::size_t size = 0; begin + size <= whole.size(); ++size) {
      ByteVector piece(size);
      ASSERT_TRUE(file.read_at(begin, piece).ok());
      ASSERT_TRUE(std::equal(piece.begin(), piece.end(), whole.begin() +
                                                             static_cast<std::ptrdiff_t>(begin)));
    }
  }
  ByteVector past(1);
  EXPECT_FALSE(file.read_at(whole.size(), past).ok());
}

TEST(FoldExternalData, MakesAModelThatAdmissionTakes) {
  const auto folded = fold(added(outside("w", "model.onnx.data", "0")));
  const ByteVector model = content_of(*folded.value().file);
  const AdmissionVerdict verdict = GraphAdmission(AdmissionBudget{}).admit(model);
  EXPECT_TRUE(std::holds_alternative<ValidatedModel>(verdict)) << describe_admission(verdict);
}

}  // namespace
}  // namespace cloister
