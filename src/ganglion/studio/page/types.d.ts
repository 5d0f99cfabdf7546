// The shapes of what the server sends, and of the vendored modules, for the type checker alone.
export type Command = Record<string, unknown>;
export interface Frame {
  run: number; update: number; epoch: number; position: number; total: number;
  loss: number; validation: number; playing: number; ended: number;
  weights: Float32Array; activations: Float32Array; surface: Float32Array;
}
export interface Transport {
  do(command: Command): Promise<any>;
  upload(file: File): Promise<any>;
  export(command: Command): Promise<{ name: string; blob: Blob }>;
  follow(draw: (frame: Frame) => void, lost: (words: string | null) => void): () => void;
}
export interface Selection {
  row: number; layer: string; unit: number; parameter: string; index: number[];
}
export interface Run {
  run: number; name: string; note: string; parent: number | null; origin: number; update: number; epoch: number;
  position: number; steps: number; total: number; reached: number; epochs: number; ended: boolean; because: string;
  failed: boolean; loss: number | null; before: number | null; validation: number | null; keyframes: number[];
  edits: any[]; parameters: number; engine: string;
}
export interface Equation {
  name: string; value: number | null; rule: string; note: string;
  terms?: { value: number | null; note: string; factors: { name: string; value: number | null }[] }[];
  arguments?: Record<string, number | null>;
}
export interface Card { title: string; value: number | null; words: string; equations: Equation[] }
export interface Page {
  state: any; frame: Frame | null; selection: Selection; busy: boolean; version: number;
  act(command: Command): Promise<any>;
  ask(question: Command): Promise<any>;
  look(change: Partial<Selection>): void;
  upload(file: File): Promise<void>;
  save(command: Command): Promise<void>;
  say(words: string): void;
  hidden: boolean;
}
