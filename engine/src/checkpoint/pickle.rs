//! A pickle reader that is a pure data machine: the few globals that `torch.save` writes for tensors are known by
//! name, any other is an error, and nothing is ever imported or called (opcodes: CPython's `pickletools.py`).

use std::collections::HashMap;

use super::element::ElementType;

/// No backbone's pickle comes near this; it bounds the memory of hostile ones.
const MAX_BYTES: usize = 4 << 20;
/// A published backbone's pickle makes some ten thousand values.
const MAX_VALUES: usize = 1 << 20;

/// Index of a [`Node`]. Containers are shared through the memo, so values are references into one arena.
pub(super) type Id = usize;

/// A value of the pickle.
#[derive(Debug)]
pub(super) enum Node<'a> {
    /// None, bytes, big integers, floats, dtypes: values that no tensor needs.
    Opaque,
    Bool,
    Int(i64),
    Str(&'a str),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage<'a>),
    Tensor(Box<TensorNode<'a>>),
}

/// One of the importable names that may occur.
#[derive(Clone, Copy, Debug)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    /// `torch.Size`, which wraps a tuple.
    Size,
    /// `torch.FloatStorage` and its kin.
    StorageType(ElementType),
    /// Constructors of values that no tensor needs: `torch.device`, `set`.
    OpaqueCall,
}

/// A block of elements in an entry of the archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage<'a> {
    pub(super) element: ElementType,
    /// Name of its entry under `data/`.
    pub(super) key: &'a str,
    /// Elements.
    pub(super) len: usize,
}

/// A strided view of a storage, in elements.
#[derive(Clone, Debug)]
pub(super) struct TensorNode<'a> {
    pub(super) storage: Storage<'a>,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// All values of a pickle, and which of them it returns.
pub(super) struct Pickle<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) root: Id,
}

/// Reads a pickle of protocol 2 to 5; the reason where it is broken or asks for more than data.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle<'_>, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("its pickle has {} bytes, at most {MAX_BYTES} are read", bytes.len()));
    }
    let mut machine =
        Machine { input: bytes, at: 0, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    let root = machine.run()?;
    Ok(Pickle { nodes: machine.nodes, root })
}

struct Machine<'a> {
    input: &'a [u8],
    at: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, String> {
        loop {
            let at = self.at;
            if self.nodes.len().max(self.memo.len()) > MAX_VALUES {
                return Err(format!("its pickle makes more than {MAX_VALUES} values"));
            }
            match self.byte()? {
                b'.' => return self.pop(),
                opcode => self.step(opcode).map_err(|reason| format!("{reason} (pickle byte {at})"))?,
            }
        }
    }

    fn step(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            // PROTO, FRAME
            0x80 => {
                let protocol = self.byte()?;
                if !(2..=5).contains(&protocol) {
                    return Err(format!("pickle protocol {protocol} is not read, only 2 to 5"));
                }
            }
            0x95 => {
                self.take(8)?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.pop_to_mark()?;
            }
            b'2' => {
                let top = *self.stack.last().ok_or(UNDERFLOW)?;
                self.stack.push(top);
            }
            b'N' => self.push(Node::Opaque),
            0x88 | 0x89 => self.push(Node::Bool),
            b'J' | b'K' | b'M' | 0x8a | 0x8b | b'G' => self.number(opcode)?,
            b'X' | 0x8c | 0x8d | b'T' | b'U' | b'B' | b'C' | 0x8e | 0x96 => self.string(opcode)?,
            b']' => self.push(Node::List(Vec::new())),
            b')' => self.push(Node::Tuple(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            0x8f => self.push(Node::Opaque),
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Node::List(items));
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Tuple(items));
            }
            0x85..=0x87 => {
                let start = self.stack.len().checked_sub(usize::from(opcode - 0x84)).ok_or(UNDERFLOW)?;
                let items = self.stack.split_off(start);
                self.push(Node::Tuple(items));
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Dict(pairs(&items)?));
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            // ADDITEMS, FROZENSET
            0x90 => {
                self.pop_to_mark()?;
            }
            0x91 => {
                self.pop_to_mark()?;
                self.push(Node::Opaque);
            }
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memo(opcode)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (&Node::Str(module), &Node::Str(name)) = (&self.nodes[module], &self.nodes[name]) else {
                    return Err("a global's name is no text".into());
                };
                self.global(module, name)?;
            }
            b'R' => self.reduce()?,
            // BUILD: attributes such as `_metadata` of a state dict.
            b'b' => {
                self.pop()?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id).ok_or("a storage is described in an unknown way")?;
                self.push(Node::Storage(storage));
            }
            other => return Err(format!("it uses the pickle opcode {other:#04x}, which no tensor file needs")),
        }
        Ok(())
    }

    fn number(&mut self, opcode: u8) -> Result<(), String> {
        let node = match opcode {
            b'J' => Node::Int(i32::from_le_bytes(self.array()?).into()),
            b'K' => Node::Int(self.byte()?.into()),
            b'M' => Node::Int(u16::from_le_bytes(self.array()?).into()),
            b'G' => {
                self.take(8)?;
                Node::Opaque
            }
            _ => {
                let len =
                    if opcode == 0x8a { u64::from(self.byte()?) } else { u32::from_le_bytes(self.array()?).into() };
                long(self.take(len)?)
            }
        };
        self.push(node);
        Ok(())
    }

    fn string(&mut self, opcode: u8) -> Result<(), String> {
        let len = match opcode {
            0x8c | b'U' | b'C' => self.byte()?.into(),
            b'X' | b'T' | b'B' => u32::from_le_bytes(self.array()?).into(),
            _ => u64::from_le_bytes(self.array()?),
        };
        let bytes = self.take(len)?;
        let is_text = matches!(opcode, b'X' | 0x8c | 0x8d | b'T' | b'U');
        let node = match std::str::from_utf8(bytes) {
            Ok(text) if is_text => Node::Str(text),
            Err(_) if is_text => return Err("a text is not UTF-8".into()),
            _ => Node::Opaque,
        };
        self.push(node);
        Ok(())
    }

    fn memo(&mut self, opcode: u8) -> Result<(), String> {
        let key = match opcode {
            b'q' | b'h' => self.byte()?.into(),
            b'r' | b'j' => u32::from_le_bytes(self.array()?).into(),
            _ => self.memo.len() as u64,
        };
        if matches!(opcode, b'h' | b'j') {
            let id = *self.memo.get(&key).ok_or("the memo has no such entry")?;
            self.stack.push(id);
        } else {
            let top = *self.stack.last().ok_or(UNDERFLOW)?;
            self.memo.insert(key, top);
        }
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), String> {
        let node = match (module, name) {
            ("collections", "OrderedDict") => Node::Global(Global::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Node::Global(Global::RebuildTensor),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Node::Global(Global::RebuildParameter)
            }
            ("torch", "Size") => Node::Global(Global::Size),
            ("torch", "device") | ("builtins" | "__builtin__", "set") => Node::Global(Global::OpaqueCall),
            ("torch", dtype) if DTYPES.contains(&dtype) => Node::Opaque,
            ("torch" | "torch.storage", storage) => match storage_element(storage) {
                Some(element) => Node::Global(Global::StorageType(element)),
                None => return Err(refused(module, name)),
            },
            _ => return Err(refused(module, name)),
        };
        self.push(node);
        Ok(())
    }

    fn reduce(&mut self) -> Result<(), String> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let Node::Tuple(arguments) = &self.nodes[arguments] else {
            return Err("a call has no arguments".into());
        };
        let Node::Global(global) = self.nodes[callable] else {
            return Err("it calls something that is no known function".into());
        };
        let node = match global {
            // Its items follow as SETITEMS.
            Global::OrderedDict if arguments.is_empty() => Node::Dict(Vec::new()),
            Global::OrderedDict => return Err("an OrderedDict is made in an unknown way".into()),
            Global::RebuildTensor => {
                let tensor = self.tensor(arguments).ok_or("a tensor is described in an unknown way")?;
                Node::Tensor(Box::new(tensor))
            }
            Global::RebuildParameter | Global::Size => {
                let inner = *arguments.first().ok_or("a call lacks its argument")?;
                self.stack.push(inner);
                return Ok(());
            }
            Global::OpaqueCall => Node::Opaque,
            Global::StorageType(_) => return Err("it makes a storage in an unknown way".into()),
        };
        self.push(node);
        Ok(())
    }

    /// `("storage", type, key, location, elements)`
    fn storage(&self, id: Id) -> Option<Storage<'a>> {
        let Node::Tuple(fields) = &self.nodes[id] else { return None };
        let &[kind, element, key, _location, len] = fields.as_slice() else { return None };
        match (&self.nodes[kind], &self.nodes[element], &self.nodes[key], &self.nodes[len]) {
            (Node::Str("storage"), &Node::Global(Global::StorageType(element)), &Node::Str(key), &Node::Int(len)) => {
                Some(Storage { element, key, len: usize::try_from(len).ok()? })
            }
            _ => None,
        }
    }

    /// `(storage, offset, shape, strides, …)`
    fn tensor(&self, arguments: &[Id]) -> Option<TensorNode<'a>> {
        let &[storage, offset, shape, strides, ..] = arguments else { return None };
        let (&Node::Storage(storage), &Node::Int(offset)) = (&self.nodes[storage], &self.nodes[offset]) else {
            return None;
        };
        let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
        Some(TensorNode { storage, offset: usize::try_from(offset).ok()?, shape, strides })
    }

    fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        const MAX_RANK: usize = 8;
        let Node::Tuple(items) = &self.nodes[id] else { return None };
        let size = |&id: &Id| match self.nodes[id] {
            Node::Int(size) => usize::try_from(size).ok(),
            _ => None,
        };
        if items.len() > MAX_RANK { None } else { items.iter().map(size).collect() }
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let list = *self.stack.last().ok_or(UNDERFLOW)?;
        match &mut self.nodes[list] {
            Node::List(list) => list.extend(items),
            Node::Opaque => {}
            _ => return Err("it appends to something that is no list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), String> {
        let dict = *self.stack.last().ok_or(UNDERFLOW)?;
        match &mut self.nodes[dict] {
            Node::Dict(dict) => dict.extend(pairs(items)?),
            _ => return Err("it sets items of something that is no dict".into()),
        }
        Ok(())
    }

    fn push(&mut self, node: Node<'a>) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn pop(&mut self) -> Result<Id, String> {
        if self.marks.last() == Some(&self.stack.len()) {
            return Err(UNDERFLOW.into());
        }
        self.stack.pop().ok_or_else(|| UNDERFLOW.into())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len()).ok_or(UNDERFLOW)?;
        Ok(self.stack.split_off(mark))
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let bytes = self.input[self.at..].first_chunk().ok_or(CUT)?;
        self.at += N;
        Ok(*bytes)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], String> {
        let bytes = usize::try_from(len).ok().and_then(|len| self.input[self.at..].get(..len)).ok_or(CUT)?;
        self.at += bytes.len();
        Ok(bytes)
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.input[self.at..];
        let len = rest.iter().position(|&b| b == b'\n').ok_or(CUT)?;
        self.at += len + 1;
        std::str::from_utf8(&rest[..len]).map_err(|_| "a text is not UTF-8".into())
    }
}

const CUT: &str = "its pickle is cut short";
const UNDERFLOW: &str = "its pickle takes more values than it made";

/// `torch.float32` and its kin, which occur as values.
const DTYPES: [&str; 12] = [
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
    "complex64",
    "complex128",
];

fn refused(module: &str, name: &str) -> String {
    let global = format!("{module}.{name}");
    format!(
        "it asks for `{}`, which could run code; save the tensors alone, with torch.save(model.state_dict(), …)",
        global.escape_debug()
    )
}

fn storage_element(name: &str) -> Option<ElementType> {
    Some(match name {
        "DoubleStorage" => ElementType::F64,
        "FloatStorage" => ElementType::F32,
        "HalfStorage" => ElementType::F16,
        "BFloat16Storage" => ElementType::Bf16,
        "LongStorage" => ElementType::I64,
        "IntStorage" => ElementType::I32,
        "ShortStorage" => ElementType::I16,
        "CharStorage" => ElementType::I8,
        "ByteStorage" => ElementType::U8,
        "BoolStorage" => ElementType::Bool,
        _ => return None,
    })
}

/// Little-endian two's complement; opaque past 64 bits.
fn long(bytes: &[u8]) -> Node<'static> {
    if bytes.len() > 8 {
        return Node::Opaque;
    }
    let fill = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
    let mut wide = [fill; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Node::Int(i64::from_le_bytes(wide))
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a dict has a key without a value".into());
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}
