#include "vault/anchor.h"

namespace cloister {

const char* name_of(AnchorKind kind) noexcept {
  switch (kind) {
    case AnchorKind::none: return "none";
    case AnchorKind::tpm: return "tpm";
    case AnchorKind::etcd: return "etcd";
  }
  return "none";
}

}  // namespace cloister
