#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What one run of a model costs: the library called from C (the floor that servers are measured against), the library's
own Python, and `apus serve inference` by its own statistics; and what loading costs.

The C program is compiled here, on Apus's own declarations of the libraries. Runs of C, Python and Apus take turns. Prints
one JSON object: microseconds by model and rows, and ratios to the floor; what is going on to standard error.

Usage: .venv/bin/python Benchmarks/serving_runtimes.py [--short]; APUS_BINARIES is the folder of the binaries
(.build/release)."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Tests" / "RealClients"))
os.environ.setdefault("APUS_BINARIES", str(ROOT / ".build" / "release"))

import numpy

import serving_models

MODELS = ["sk-logistic", "sk-forest", "sk-network", "sk-zipmap", "sk-texts", "xgb-classes", "lgb-classes", "cnn-plain"]

# argv: library, kind (onnx, xgboost, lightgbm), model, inputs (raw numbers), rows, columns, runs; prints load ms and µs.
FLOOR = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#define _Nullable
#define _Nonnull
#include "CONNXRuntime/onnxruntime.h"
#include "CXGBoost/xgboost.h"
#include "CLightGBM/lightgbm.h"
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e6 + t.tv_nsec / 1e3; }
static int order(const void *a, const void *b) { double d = *(const double *)a - *(const double *)b; return d < 0 ? -1 : d > 0; }
static char *file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb"); fseek(f, 0, SEEK_END); *size = ftell(f); rewind(f);
    char *bytes = calloc(1, *size + 1); if (fread(bytes, 1, *size, f) != *size) exit(2); fclose(f); return bytes;
}
static void check(int failed, const char *what) { if (failed) { fprintf(stderr, "%s failed\n", what); exit(1); } }
int main(int count, char **a) {
    void *library = dlopen(a[1], RTLD_NOW);
    if (!library) { fprintf(stderr, "%s\n", dlerror()); return 1; }
    size_t size, inputSize; char *model = file(a[3], &size), *input = file(a[4], &inputSize);
    int rows = atoi(a[5]), columns = atoi(a[6]), runs = atoi(a[7]);
    double *times = malloc(runs * sizeof(double)), load = 0;
    if (!strcmp(a[2], "onnx")) {
        const struct OrtApi *api = ((struct OrtApiBase *(*)(void))dlsym(library, "OrtGetApiBase"))()->GetApi(21);
        OrtPointer env, options, session, memory, allocator; size_t outputs; const char *names[17]; OrtPointer values[16];
        check(OrtCreateEnv(api, 3, "floor", &env) != 0, "env"); OrtCreateSessionOptions(api, &options);
        OrtSetIntraOpNumThreads(api, options, 1); OrtDisableCpuMemArena(api, options); OrtDisableMemPattern(api, options);
        OrtCreateCpuMemoryInfo(api, 0, 0, &memory); OrtGetAllocatorWithDefaultOptions(api, &allocator);
        load = now(); check(OrtCreateSession(api, env, a[3], options, &session) != 0, "load"); load = now() - load;
        OrtSessionGetInputName(api, session, 0, allocator, (char **)&names[16]); OrtSessionGetOutputCount(api, session, &outputs);
        for (size_t i = 0; i < outputs; i++) OrtSessionGetOutputName(api, session, i, allocator, (char **)&names[i]);
        int64_t shape[4] = {rows, columns, 16, 16};
        int rank = count > 8 ? atoi(a[8]) : 2;
        for (int run = 0; run < runs; run++) {
            double start = now(); OrtPointer value;
            OrtCreateTensorWithDataAsOrtValue(api, memory, input, inputSize, shape, rank, 1, &value);
            memset(values, 0, sizeof values);
            check(OrtRun(api, session, 0, &names[16], &value, 1, names, outputs, values) != 0, "run");
            for (size_t i = 0; i < outputs; i++) OrtReleaseValue(api, values[i]);
            OrtReleaseValue(api, value); times[run] = now() - start;
        }
    } else if (!strcmp(a[2], "xgboost")) {
        XGBoostHandle booster, proxy; char array[200]; const uint64_t *shape; uint64_t rank; const float *result;
        ((XGBoostCreateFunction)dlsym(library, "XGBoosterCreate"))(0, 0, &booster);
        load = now(); check(((XGBoostLoadFunction)dlsym(library, "XGBoosterLoadModelFromBuffer"))(booster, model, size), "load"); load = now() - load;
        ((XGBoostParameterFunction)dlsym(library, "XGBoosterSetParam"))(booster, "nthread", "1");
        ((XGBoostProxyFunction)dlsym(library, "XGProxyDMatrixCreate"))(&proxy);
        XGBoostPredictFunction predict = (XGBoostPredictFunction)dlsym(library, "XGBoosterPredictFromDense");
        for (int run = 0; run < runs; run++) {
            double start = now();
            snprintf(array, sizeof array, "{\"data\":[%lu,true],\"shape\":[%d,%d],\"typestr\":\"<f4\",\"version\":3}", (unsigned long)input, rows, columns);
            check(predict(booster, array, "{\"type\":0,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false,\"training\":false,\"cache_id\":0,\"missing\":NaN}", proxy, &shape, &rank, &result), "predict");
            times[run] = now() - start;
        }
    } else {
        LightGBMHandle booster, single = 0; int iterations; int64_t length; double *result = malloc(sizeof(double) * rows * 64);
        load = now(); check(((LightGBMLoadFunction)dlsym(library, "LGBM_BoosterLoadModelFromString"))(model, &iterations, &booster), "load"); load = now() - load;
        LightGBMPredictFunction predict = (LightGBMPredictFunction)dlsym(library, "LGBM_BoosterPredictForMat");
        LightGBMSinglePredictFunction one = (LightGBMSinglePredictFunction)dlsym(library, "LGBM_BoosterPredictForMatSingleRowFast");
        ((LightGBMSingleFunction)dlsym(library, "LGBM_BoosterPredictForMatSingleRowFastInit"))(booster, 0, 0, -1, 1, columns, "num_threads=1", &single);
        for (int run = 0; run < runs; run++) {
            double start = now();
            if (rows == 1) one(single, input, &length, result);
            else predict(booster, input, 1, rows, columns, 1, 0, 0, -1, "num_threads=1", &length, result);
            times[run] = now() - start;
        }
    }
    qsort(times, runs, sizeof(double), order);
    printf("%f %f %f\n", load / 1e3, times[runs / 2], times[runs * 99 / 100]);
    fflush(stdout); _exit(0);
}
"""


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def library(kind):
    import lightgbm
    import onnxruntime
    import xgboost
    package = {"onnx": onnxruntime, "xgboost": xgboost, "lightgbm": lightgbm}[kind]
    pattern = {"onnx": "capi/libonnxruntime.so.*", "xgboost": "lib/libxgboost.so", "lightgbm": "lib/lib_lightgbm.so"}[kind]
    return next(pathlib.Path(package.__file__).parent.glob(pattern))


def kind_of(model):
    return "xgboost" if model.startswith("xgb-") else "lightgbm" if model.startswith("lgb-") else "onnx"


def in_python(kind, path, inputs, seconds):
    """Median microseconds of the library's own Python, and milliseconds of a load."""
    start = time.perf_counter()
    if kind == "onnx":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        run = lambda: session.run(None, inputs)
    elif kind == "xgboost":
        import xgboost
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(path)
        run = lambda: booster.inplace_predict(inputs["input-0"])
    else:
        import lightgbm
        booster = lightgbm.Booster(model_file=str(path))
        run = lambda: booster.predict(inputs["input-0"], num_threads=1)
    load = (time.perf_counter() - start) * 1e3
    return load, median(run, seconds)


def median(run, seconds):
    run()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 20:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    seconds, runs = (0.3, 3000) if options.short else (2, 20000)
    from serving_fixture import Inference, http_input
    folder, cases = serving_models.collection()
    by_name = {case.model: case for case in cases}
    figures = {}
    with tempfile.TemporaryDirectory(prefix="apus-floor-") as work:
        program = pathlib.Path(work) / "floor"
        (program.parent / "floor.c").write_text(FLOOR)
        subprocess.run(["gcc", "-O2", "-w", "-I", ROOT / "Sources", "-o", program, program.parent / "floor.c", "-ldl"], check=True)
        server = Inference("--model-repository", folder)
        try:
            client = server.start().http()
            for model in MODELS:
                case, kind = by_name[model], kind_of(model)
                path = next(path for path in (folder / model / "1").iterdir())
                for rows in (1, 32):
                    inputs = {name: numpy.ascontiguousarray(numpy.resize(array, (rows, *array.shape[1:])))
                              for name, array in case.inputs.items()}
                    first = next(iter(inputs.values()))
                    entry = figures.setdefault(model, {}).setdefault(f"rows{rows}", {})
                    say(f"{model}, {rows} rows")
                    if first.dtype != object:
                        raw = pathlib.Path(work) / "input"
                        raw.write_bytes(first.tobytes())
                        said = subprocess.run(
                            [program, library(kind), kind, path, raw, str(rows), str(first.shape[1]), str(runs if rows == 1 else runs // 4),
                             str(first.ndim)], check=True, capture_output=True, text=True).stdout.split()
                        entry["loadMilliseconds"], entry["floor"], entry["floorP99"] = map(float, said)
                    entry["pythonLoadMilliseconds"], entry["python"] = in_python(kind, path, inputs, seconds)
                    given = [http_input(name, array) for name, array in inputs.items()]
                    before = client.get_inference_statistics(model)["model_stats"][0]["inference_stats"]["compute_infer"]
                    entry["request"] = median(lambda: client.infer(model, given), seconds)
                    after = client.get_inference_statistics(model)["model_stats"][0]["inference_stats"]["compute_infer"]
                    count = after["count"] - before["count"]
                    entry["apus"] = (after["ns"] - before["ns"]) / max(count, 1) / 1e3
                    if "floor" in entry:
                        entry["apusToFloor"] = entry["apus"] / entry["floor"]
                        entry["pythonToFloor"] = entry["python"] / entry["floor"]
                    figures[model][f"rows{rows}"] = {key: round(value, 2) for key, value in entry.items()}
            loads = {}
            for model in MODELS:
                times = []
                for _ in range(5 if options.short else 20):
                    start = time.perf_counter()
                    client.load_model(model)
                    times.append((time.perf_counter() - start) * 1e3)
                loads[model] = round(statistics.median(times), 2)
            client.close()
            server.stop()
        finally:
            server.clean(keep=False)
    print(json.dumps({"microseconds": figures, "reloadMilliseconds": loads}, indent=1))


main()
