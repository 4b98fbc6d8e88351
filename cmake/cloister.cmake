# How the project's parts are declared. A folder below src/ is one library; a door is a folder
# below it that may use one third-party API; tests and fuzz targets sit beside what they test.

set(CLOISTER_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND CLOISTER_WARNINGS -Werror)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND CLOISTER_WARNINGS -Wthread-safety)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 15)
    list(APPEND CLOISTER_WARNINGS -Werror)
  endif()
endif()

# The end of the names of libraries that a sanitizer's build makes without sanitizers.
set(CLOISTER_PLAIN "")
if(CLOISTER_SANITIZE)
  set(CLOISTER_PLAIN _plain)
endif()

# cloister_library(NAME SOURCES a.cc ... [USES base secret ...] [PRIVATE third-party targets])
# makes cloister_NAME. USES are folders of ours; PRIVATE are third-party targets that only the
# sources of this library see. A door "engine/ort" is declared as NAME engine_ort.
# In a sanitizer's build there is a second library, cloister_NAME_plain, without sanitizers: it is
# built where a program asks for it.
function(cloister_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;PRIVATE" ${ARGN})
  foreach(variant IN ITEMS "" ${CLOISTER_PLAIN})
    set(library cloister_${name}${variant})
    add_library(${library} STATIC ${ARG_SOURCES})
    target_include_directories(${library} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_compile_options(${library} PRIVATE ${CLOISTER_WARNINGS})
    foreach(used IN LISTS ARG_USES)
      target_link_libraries(${library} PUBLIC cloister_${used}${variant})
    endforeach()
    target_link_libraries(${library} PRIVATE ${ARG_PRIVATE})
    if(variant)
      target_compile_options(${library} PRIVATE -fno-sanitize=all)
      set_target_properties(${library} PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()
  endforeach()
endfunction()

# cloister_program(NAME SOURCES ... [USES ...] [PRIVATE ...] [PLAIN]) makes the executable NAME.
# PLAIN: without sanitizers in every build.
function(cloister_program name)
  cmake_parse_arguments(ARG "PLAIN" "" "SOURCES;USES;PRIVATE" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(${name} PRIVATE ${CLOISTER_WARNINGS})
  set(variant "")
  if(ARG_PLAIN AND CLOISTER_SANITIZE)
    set(variant ${CLOISTER_PLAIN})
    target_compile_options(${name} PRIVATE -fno-sanitize=all)
    target_link_options(${name} PRIVATE -fno-sanitize=all)
  endif()
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(${name} PRIVATE cloister_${used}${variant})
  endforeach()
  target_link_libraries(${name} PRIVATE ${ARG_PRIVATE})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# What the tests labelled `concurrent` need: the thread sanitizer's build makes no more than this.
add_custom_target(concurrent_tests)

# cloister_test(NAME SOURCES a_test.cc ... [USES ...] [PRIVATE ...] [LABELS ...] [TIMEOUT seconds])
# makes the GoogleTest program NAME_test and registers it with CTest as one test. The label
# `concurrent` has it run under the thread sanitizer too.
function(cloister_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;USES;PRIVATE;LABELS" ${ARGN})
  if(NOT BUILD_TESTING)
    return()
  endif()
  add_executable(${name}_test ${ARG_SOURCES})
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/src
                                                  ${PROJECT_SOURCE_DIR}/tests)
  target_compile_options(${name}_test PRIVATE ${CLOISTER_WARNINGS})
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(${name}_test PRIVATE cloister_${used})
  endforeach()
  target_link_libraries(${name}_test PRIVATE GTest::gtest_main rapidcheck ${ARG_PRIVATE})
  add_test(NAME ${name} COMMAND ${name}_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "unit;${ARG_LABELS}")
  if("concurrent" IN_LIST ARG_LABELS)
    add_dependencies(concurrent_tests ${name}_test)
  endif()
endfunction()

# cloister_fuzz(NAME SOURCE x_fuzz.cc SEEDS folder [USES ...] [ONNX])
# NAME_fuzz replays its seeds as a test (NAME_seeds) in every build; in the fuzz preset the same
# source is linked with libFuzzer and `./dev fuzz NAME` explores. ONNX: the inputs are models, and
# are mutated as such.
function(cloister_fuzz name)
  cmake_parse_arguments(ARG "ONNX" "SOURCE;SEEDS" "USES;PRIVATE" ${ARGN})
  if(NOT BUILD_TESTING AND NOT CLOISTER_FUZZ)
    return()
  endif()
  add_executable(${name}_fuzz ${ARG_SOURCE})
  target_include_directories(${name}_fuzz PRIVATE ${PROJECT_SOURCE_DIR}/src
                                                  ${PROJECT_SOURCE_DIR}/tests)
  target_compile_options(${name}_fuzz PRIVATE ${CLOISTER_WARNINGS})
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(${name}_fuzz PRIVATE cloister_${used})
  endforeach()
  target_link_libraries(${name}_fuzz PRIVATE ${ARG_PRIVATE})
  if(CLOISTER_FUZZ)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    if(ARG_ONNX)
      target_sources(${name}_fuzz PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/onnx_mutator.cc)
    endif()
    set_target_properties(${name}_fuzz PROPERTIES
                          RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
    file(WRITE ${PROJECT_BINARY_DIR}/seeds/${name} ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SEEDS})
  else()
    target_sources(${name}_fuzz PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME ${name}_seeds COMMAND ${name}_fuzz ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SEEDS}
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${name}_seeds PROPERTIES LABELS "unit;fuzz" TIMEOUT 300)
  endif()
endfunction()
