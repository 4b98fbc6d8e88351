#include "support/faulty_files.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/mutex.h"

namespace cloister {
namespace {

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

struct Node {
  FileKind kind = FileKind::regular;
  ByteVector content;
  ByteVector synced_content;
  std::map<std::string, std::shared_ptr<Node>> entries;
  std::map<std::string, std::shared_ptr<Node>> synced_entries;
  bool locked = false;
};

std::shared_ptr<Node> make_node(FileKind kind) {
  auto node = std::make_shared<Node>();
  node->kind = kind;
  return node;
}

ByteVector content_after(const Node& node, Survival survival) {
  if (survival == Survival::everything || survival == Survival::data_only) return node.content;
  if (survival != Survival::half_of_each_file || node.content == node.synced_content) {
    return node.synced_content;
  }
  ByteVector torn = node.synced_content;
  torn.resize(node.content.size());
  const auto half = static_cast<std::ptrdiff_t>(node.content.size() / 2);
  std::copy_n(node.content.begin(), half, torn.begin());
  return torn;
}

void settle(Node& node, Survival survival) {
  const bool keeps_entries = survival != Survival::nothing && survival != Survival::data_only;
  if (!keeps_entries) node.entries = node.synced_entries;
  node.synced_entries = node.entries;
  node.content = content_after(node, survival);
  node.synced_content = node.content;
  node.locked = false;
  for (auto& [name, entry] : node.entries) settle(*entry, survival);
}

void collect(const Node& folder, const std::string& prefix,
             std::map<std::string, ByteVector>& contents) {
  for (const auto& [name, node] : folder.entries) {
    if (node->kind == FileKind::folder) collect(*node, prefix + name + "/", contents);
    if (node->kind == FileKind::regular) contents[prefix + name] = node->content;
  }
}

/// A folder and a name in it, which need not exist.
struct Entry {
  std::shared_ptr<Node> folder;
  std::string name;

  std::shared_ptr<Node> node() const {
    const auto found = folder->entries.find(name);
    return found == folder->entries.end() ? nullptr : found->second;
  }
};

Result<std::shared_ptr<Node>> child_folder(const Node& folder, const std::string& name) {
  const auto found = folder.entries.find(name);
  if (found == folder.entries.end()) return Error{Code::not_found, "test.files.folder"};
  if (found->second->kind != FileKind::folder) return Error{Code::corrupt, "test.files.folder"};
  return found->second;
}

Result<Entry> find(std::shared_ptr<Node> folder, std::string path) {
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string name = path.substr(0, slash);
    if (name.empty() || name == "." || name == ".." || name.find('\0') != name.npos) {
      return Error{Code::invalid, "test.files.path"};
    }
    if (slash == path.npos) return Entry{std::move(folder), name};
    CLOISTER_ASSIGN(folder, child_folder(*folder, name));
    path.erase(0, slash + 1);
  }
}

Result<std::shared_ptr<Node>> find_folder(const std::shared_ptr<Node>& root,
                                          const std::string& path) {
  if (path.empty()) return root;
  CLOISTER_ASSIGN(const Entry entry, find(root, path));
  return child_folder(*entry.folder, entry.name);
}

}  // namespace

/// What the files share. All of it, the nodes included, is read and written under `mutex`.
struct FaultyFiles::Disk {
  Mutex mutex;
  std::shared_ptr<Node> root GUARDED_BY(mutex) = make_node(FileKind::folder);
  std::uint64_t calls GUARDED_BY(mutex) = 0;
  std::uint64_t armed_call GUARDED_BY(mutex) = kNever;
  Fault fault GUARDED_BY(mutex) = Fault::fails;
  bool powered GUARDED_BY(mutex) = true;
  std::uint64_t boots GUARDED_BY(mutex) = 0;
  std::vector<ByteVector> writes GUARDED_BY(mutex);

  enum class Course { normal, cut_short };

  /// Counts one call and says how it goes. Fails: `io` where it is the one that fails.
  Result<Course> begin() REQUIRES(mutex) {
    if (!powered) return Error{Code::io, "test.files.power"};
    if (calls++ != armed_call) return Course::normal;
    if (fault == Fault::fails) return Error{Code::io, "test.files.fault"};
    powered = fault != Fault::is_last_before_power_loss;
    return powered ? Course::cut_short : Course::normal;
  }

  /// The outcome of a call that was done: reported as failed where it was to be cut short.
  static Status end(Course course) {
    if (course == Course::cut_short) return Error{Code::io, "test.files.fault"};
    return Done{};
  }
};

class FaultyFiles::OpenFile final : public File {
 public:
  enum class Access { read, write, lock };

  OpenFile(std::shared_ptr<Disk> disk, std::shared_ptr<Node> node, Access access,
           std::uint64_t boot)
      : disk_(std::move(disk)), node_(std::move(node)), access_(access), boot_(boot) {}

  ~OpenFile() override {
    const MutexLock lock(disk_->mutex);
    if (access_ == Access::lock && boot_ == disk_->boots) node_->locked = false;
  }

  Result<std::uint64_t> size() const override {
    const MutexLock lock(disk_->mutex);
    CLOISTER_ASSIGN(const Disk::Course course, begin());
    CLOISTER_TRY(Disk::end(course));
    return std::uint64_t{node_->content.size()};
  }

  Status read_at(std::uint64_t offset, MutableBytes destination) const override {
    const MutexLock lock(disk_->mutex);
    CLOISTER_ASSIGN(const Disk::Course course, begin());
    const Bytes content = node_->content;
    const Bytes rest = content.subspan(std::min<std::uint64_t>(offset, content.size()));
    if (destination.size() > rest.size()) return Error{Code::corrupt, "test.file.read"};
    const bool cut = course == Disk::Course::cut_short;
    const std::size_t count = cut ? destination.size() / 2 : destination.size();
    std::copy_n(rest.begin(), count, destination.begin());
    return Disk::end(course);
  }

  Status write_at(std::uint64_t offset, Bytes bytes) override {
    const MutexLock lock(disk_->mutex);
    CLOISTER_ASSIGN(const Disk::Course course, begin());
    if (access_ == Access::read) return Error{Code::io, "test.file.write"};
    if (course == Disk::Course::cut_short) bytes = bytes.first(bytes.size() / 2);
    ByteVector& content = node_->content;
    if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
    disk_->writes.push_back(copy_of(bytes));
    return Disk::end(course);
  }

  Status sync() override {
    const MutexLock lock(disk_->mutex);
    CLOISTER_ASSIGN(const Disk::Course course, begin());
    node_->synced_content = node_->content;
    return Disk::end(course);
  }

 private:
  Result<Disk::Course> begin() const REQUIRES(disk_->mutex) {
    if (boot_ != disk_->boots) return Error{Code::io, "test.file.stale"};
    return disk_->begin();
  }

  const std::shared_ptr<Disk> disk_;
  const std::shared_ptr<Node> node_;
  const Access access_;
  const std::uint64_t boot_;
};

FaultyFiles::FaultyFiles() : disk_(std::make_shared<Disk>()) {}
FaultyFiles::~FaultyFiles() = default;

std::uint64_t FaultyFiles::calls() const {
  const MutexLock lock(disk_->mutex);
  return disk_->calls;
}

void FaultyFiles::arm(std::uint64_t call, Fault fault) {
  const MutexLock lock(disk_->mutex);
  disk_->calls = 0;
  disk_->armed_call = call;
  disk_->fault = fault;
}

void FaultyFiles::lose_power(Survival survival) {
  const MutexLock lock(disk_->mutex);
  settle(*disk_->root, survival);
  disk_->armed_call = kNever;
  disk_->powered = true;
  ++disk_->boots;
}

std::map<std::string, ByteVector> FaultyFiles::contents() const {
  const MutexLock lock(disk_->mutex);
  std::map<std::string, ByteVector> contents;
  collect(*disk_->root, "", contents);
  return contents;
}

void FaultyFiles::plant(const std::string& path, ByteVector content) {
  plant_kind(path, FileKind::regular);
  const MutexLock lock(disk_->mutex);
  const auto entry = find(disk_->root, path);
  const std::shared_ptr<Node> node = entry.value().node();
  node->content = std::move(content);
  node->synced_content = node->content;
}

void FaultyFiles::plant_kind(const std::string& path, FileKind kind) {
  const MutexLock lock(disk_->mutex);
  for (std::size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
    const Entry folder = find(disk_->root, path.substr(0, slash)).value();
    if (folder.node() != nullptr) continue;
    folder.folder->entries[folder.name] = make_node(FileKind::folder);
    folder.folder->synced_entries[folder.name] = folder.node();
  }
  const Entry entry = find(disk_->root, path).value();
  entry.folder->entries[entry.name] = make_node(kind);
  entry.folder->synced_entries[entry.name] = entry.node();
}

std::vector<ByteVector> FaultyFiles::writes() const {
  const MutexLock lock(disk_->mutex);
  return disk_->writes;
}

Result<std::unique_ptr<File>> FaultyFiles::open_for_reading(const std::string& path) {
  const MutexLock lock(disk_->mutex);
  CLOISTER_ASSIGN(const Disk::Course course, disk_->begin());
  CLOISTER_ASSIGN(const Entry entry, find(disk_->root, path));
  const auto node = entry.node();
  if (node == nullptr) return Error{Code::not_found, "test.files.open"};
  if (node->kind != FileKind::regular) return Error{Code::corrupt, "test.files.open"};
  CLOISTER_TRY(Disk::end(course));
  return std::unique_ptr<File>(
      std::make_unique<OpenFile>(disk_, node, OpenFile::Access::read, disk_->boots));
}

Result<std::unique_ptr<File>> FaultyFiles::create(const std::string& path) {
  const MutexLock lock(disk_->mutex);
  CLOISTER_ASSIGN(const Disk::Course course, disk_->begin());
  CLOISTER_ASSIGN(const Entry entry, find(disk_->root, path));
  if (entry.node() != nullptr) return Error{Code::conflict, "test.files.create"};
  auto node = make_node(FileKind::regular);
  entry.folder->entries[entry.name] = node;
  CLOISTER_TRY(Disk::end(course));
  return std::unique_ptr<File>(
      std::make_unique<OpenFile>(disk_, node, OpenFile::Access::write, disk_->boots));
}

Status FaultyFiles::rename(const std::string& from, const std::string& to) {
  const MutexLock lock(disk_->mutex);
  CLOISTER_ASSIGN(const Disk::Course course, disk_->begin());
  CLOISTER_ASSIGN(const Entry source, find(disk_->root, from));
  CLOISTER_ASSIGN(const Entry target, find(disk_->root, to));
  const auto node = source.node();
  if (node == nullptr) return Error{Code::not_found, "test.files.rename"};
  source.folder->entries.erase(source.name);
  target.folder->entries[target.name] = node;
  return Disk::end(course);
}

Status FaultyFiles::remove(const std::string& path) {
  const MutexLock lock(disk_->mutex);
  CLOISTER_ASSIGN(const Disk::Course course, disk_->begin());
  CLOISTER_ASSIGN(const Entry entry, find(disk_->root, path));
  const auto node = entry.node();
  if (node == nullptr) return Error{Code::not_found, "test.files.remove"};
  if (node->kind == FileKind::folder) return Error{Code::corrupt, "test.files.remove"};
  entry.folder->entries.erase(entry.name);
  return Disk::end(course);
}

Status FaultyFiles::sync_folder(const std::string& path) {
  const MutexLock lock(disk_->mutex);
  CLOISTER_ASSIGN(const Disk::Course course, disk_->begin());
  CLOISTER_ASSIGN(const auto folder, find_folder(disk_->root, path));
  folder->synced_entries = folder->entries;
  return Disk::end(course);
}

Status FaultyFiles::make_folder(const std::string& path) {
  const MutexLock lock(disk_->mutex);
  CLOISTER_ASSIGN(const Disk::Course course, disk_->begin());
  CLOISTER_ASSIGN(const Entry entry, find(disk_->root, path));
  if (const auto node = entry.node(); node != nullptr && node->kind != FileKind::folder) {
    return Error{Code::corrupt, "test.files.make_folder"};
  }
  if (entry.node() == nullptr) entry.folder->entries[entry.name] = make_node(FileKind::folder);
  return Disk::end(course);
}

Result<std::vector<FolderEntry>> FaultyFiles::list(const std::string& path) {
  const MutexLock lock(disk_->mutex);
  CLOISTER_ASSIGN(const Disk::Course course, disk_->begin());
  CLOISTER_ASSIGN(const auto folder, find_folder(disk_->root, path));
  CLOISTER_TRY(Disk::end(course));
  std::vector<FolderEntry> entries;
  for (const auto& [name, node] : folder->entries) entries.push_back({name, node->kind});
  return entries;
}

Result<std::unique_ptr<File>> FaultyFiles::lock(const std::string& path) {
  const MutexLock lock(disk_->mutex);
  CLOISTER_ASSIGN(const Disk::Course course, disk_->begin());
  CLOISTER_ASSIGN(const Entry entry, find(disk_->root, path));
  if (entry.node() == nullptr) entry.folder->entries[entry.name] = make_node(FileKind::regular);
  const auto node = entry.node();
  if (node->kind != FileKind::regular) return Error{Code::corrupt, "test.files.lock"};
  if (node->locked) return Error{Code::conflict, "test.files.lock"};
  CLOISTER_TRY(Disk::end(course));
  node->locked = true;
  return std::unique_ptr<File>(
      std::make_unique<OpenFile>(disk_, node, OpenFile::Access::lock, disk_->boots));
}

}  // namespace cloister
