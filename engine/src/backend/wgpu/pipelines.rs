//! WGSL put together and compiled: the kernels of `shaders/backbone`.

use std::collections::HashMap;
use std::fmt::Write;

use crate::gpu::Gpu;

const COMMON: &str = include_str!("../../../../shaders/backbone/common.wgsl");

/// Type of weights and matrix inputs on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// 4 bytes a number.
    F32,
    /// 2 bytes a number; the device has [`wgpu::Features::SHADER_F16`].
    F16,
}

impl Input {
    /// Bytes a number.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    fn declarations(self) -> &'static str {
        match self {
            Self::F32 => "alias Input = f32;\nconst LARGEST = 0x1.fffffep+127;\n",
            Self::F16 => "enable f16;\nalias Input = f16;\nconst LARGEST = 65504.0;\n",
        }
    }
}

/// What a kernel is given.
#[derive(Clone, Copy, Debug)]
pub enum Binding {
    /// `var<uniform>`
    Uniform,
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    Write,
}

/// A kernel as it is written; its constants are still free.
#[derive(Debug)]
pub struct Kernel {
    /// For messages of the driver, and the pipeline's key.
    pub name: &'static str,
    /// Of WGSL, beside f16.
    pub extensions: &'static [&'static str],
    /// Files in their order.
    pub sources: &'static [&'static str],
    /// In the order of `@binding`.
    pub bindings: &'static [Binding],
}

/// What the program writes in front of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Constant {
    /// `const NAME = …u;`
    Number(&'static str, u32),
    /// `const NAME = …;`
    Flag(&'static str, bool),
    /// `alias NAME = …;`
    Type(&'static str, &'static str),
}

/// A kernel with all constants set.
pub fn compose(kernel: &Kernel, input: Input, constants: &[Constant]) -> String {
    let mut source: String = kernel.extensions.iter().map(|extension| format!("enable {extension};\n")).collect();
    source.push_str(input.declarations());
    for constant in constants {
        // Writing to a string does not fail.
        let _ = match constant {
            Constant::Number(name, value) => writeln!(source, "const {name} = {value}u;"),
            Constant::Flag(name, value) => writeln!(source, "const {name} = {value};"),
            Constant::Type(name, value) => writeln!(source, "alias {name} = {value};"),
        };
    }
    for part in std::iter::once(&COMMON).chain(kernel.sources) {
        source.push_str(part);
        source.push('\n');
    }
    source
}

/// Compiled kernels of one device, each compiled when it is first asked for.
#[derive(Debug)]
pub struct Pipelines {
    gpu: Gpu,
    input: Input,
    compiled: HashMap<(&'static str, Vec<Constant>), wgpu::ComputePipeline>,
    /// Parts of kernels, and what stands in their place.
    #[cfg(test)]
    pub replaced: Vec<(&'static str, &'static str)>,
}

impl Pipelines {
    /// Nothing is compiled yet.
    pub fn new(gpu: Gpu, input: Input) -> Self {
        Self {
            gpu,
            input,
            compiled: HashMap::new(),
            #[cfg(test)]
            replaced: Vec::new(),
        }
    }

    /// Type of weights and matrix inputs.
    pub fn input(&self) -> Input {
        self.input
    }

    /// How many kernels are compiled.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.compiled.len()
    }

    fn source(&self, kernel: &Kernel, constants: &[Constant]) -> String {
        let source = compose(kernel, self.input, constants);
        #[cfg(test)]
        let source = self.replaced.iter().fold(source, |source, (part, other)| source.replace(part, other));
        source
    }

    /// The compiled kernel.
    pub fn get(&mut self, kernel: &Kernel, constants: &[Constant]) -> wgpu::ComputePipeline {
        let key = (kernel.name, constants.to_vec());
        if let Some(pipeline) = self.compiled.get(&key) {
            return pipeline.clone();
        }
        let pipeline = compile(&self.gpu, kernel, self.source(kernel, constants));
        self.compiled.insert(key, pipeline.clone());
        pipeline
    }
}

fn compile(gpu: &Gpu, kernel: &Kernel, source: String) -> wgpu::ComputePipeline {
    let label = Some(kernel.name);
    let module = gpu
        .device
        .create_shader_module(wgpu::ShaderModuleDescriptor { label, source: wgpu::ShaderSource::Wgsl(source.into()) });
    let entries: Vec<wgpu::BindGroupLayoutEntry> = (0..).zip(kernel.bindings).map(layout_entry).collect();
    // A kernel that does not use one of its bindings takes it all the same: that is why the layout is written out.
    let layout = gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
    let layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&layout),
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions {
            // Every kernel writes its workgroup memory before it reads it.
            zero_initialize_workgroup_memory: false,
            ..wgpu::PipelineCompilationOptions::default()
        },
        cache: None,
    })
}

fn layout_entry((binding, kind): (u32, &Binding)) -> wgpu::BindGroupLayoutEntry {
    let ty = match kind {
        Binding::Uniform => wgpu::BufferBindingType::Uniform,
        Binding::Read => wgpu::BufferBindingType::Storage { read_only: true },
        Binding::Write => wgpu::BufferBindingType::Storage { read_only: false },
    };
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}
