#include <utility>

#include "vault/tool.h"

namespace cloister {
namespace {

/// "versions/3f.." is "versions": what a call is about, without random names.
std::string place_of(const std::string& path) { return path.substr(0, path.find('/')); }

class TracingFile final : public File {
 public:
  TracingFile(std::unique_ptr<File> file, std::string place)
      : file_(std::move(file)), place_(std::move(place)) {}
  Result<std::uint64_t> size() const override { return file_->size(); }
  Status read_at(std::uint64_t offset, MutableBytes destination) const override {
    return file_->read_at(offset, destination);
  }
  Status write_at(std::uint64_t offset, Bytes bytes) override {
    say("call write " + place_);
    return file_->write_at(offset, bytes);
  }
  Status sync() override {
    say("call sync " + place_);
    return file_->sync();
  }

 private:
  std::unique_ptr<File> file_;
  std::string place_;
};

}  // namespace

Result<std::unique_ptr<File>> TracingFiles::create(const std::string& path) {
  say("call create " + place_of(path));
  CLOISTER_ASSIGN(auto file, files_.create(path));
  return std::unique_ptr<File>(std::make_unique<TracingFile>(std::move(file), place_of(path)));
}

Status TracingFiles::rename(const std::string& from, const std::string& to) {
  say("call rename " + place_of(to));
  return files_.rename(from, to);
}

Status TracingFiles::remove(const std::string& path) {
  say("call remove " + place_of(path));
  return files_.remove(path);
}

Status TracingFiles::sync_folder(const std::string& path) {
  say("call sync_folder " + path);
  return files_.sync_folder(path);
}

}  // namespace cloister
